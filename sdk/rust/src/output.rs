//! What a game answers.

use crate::{Refusal, MAX_PRESENTATION, MAX_STATE};

const HEADER: usize = 32;

/// Bytes of the output's half of the block: more than an answer may have, so
/// that a short write at the end of the room stays inside.
pub(crate) const SIZE: usize = 49152;
/// Most bytes of text that are written without a loop. What is appended is
/// written first and may reach past the room, but not past the block; then the
/// end is held to the room. So nothing branches.
const SHORT: usize = 40;
/// Most names in a list.
const LIST: usize = 1024;
const _: () = assert!(HEADER + MAX_STATE + MAX_PRESENTATION + 1 + (LIST + 2) * NAME + 2 * SHORT <= SIZE);

/// The answer of a step, written from front to back: first the state, if the
/// round goes on, then the presentation. What does not fit makes the step an
/// incident when it ends.
pub struct Output<'a> {
    bytes: &'a mut [u8; SIZE],
    at: usize,   // at most stop
    stop: usize, // one past the room: at stays here once something did not fit
    state: usize,
}

/// A name of at most 13 bytes that is shown in quotes. It is kept as it is
/// copied: with its quotes, a comma, and its length last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Name([u8; NAME]);

const NAME: usize = 16;

impl Name {
    /// A name; it must need no escape. Meant for constants: a longer one panics.
    pub const fn new(s: &str) -> Name {
        let (from, mut text, mut i) = (s.as_bytes(), [0; NAME], 0);
        text[0] = b'"';
        while i < from.len() {
            text[i + 1] = from[i];
            i += 1;
        }
        text[i + 1] = b'"';
        text[i + 2] = b',';
        assert!(i + 3 < NAME);
        text[NAME - 1] = i as u8 + 2;
        Name(text)
    }
}

/// Hides where names are from: what is read of one is then read by offsets from
/// it, and the engine checks one address and not each.
#[inline(always)]
fn apart(names: &[Name]) -> &[Name] {
    let p = names.as_ptr();
    // Safety: the pointer is read where it was just put.
    unsafe { core::slice::from_raw_parts(core::ptr::read_volatile(&p), names.len()) }
}

/// A finished answer. Only [`Output`] makes one.
#[must_use]
pub struct Answer(i32);

impl Answer {
    pub(crate) fn code(&self) -> i32 {
        self.0
    }
}

impl<'a> Output<'a> {
    pub(crate) fn new(bytes: &'a mut [u8; SIZE]) -> Output<'a> {
        Output { bytes, at: HEADER, stop: HEADER + MAX_PRESENTATION + 1, state: 0 }
    }

    /// Writes the state that the next step gets. Once, before any presentation.
    pub fn state(&mut self, state: &[u8]) {
        if self.at != HEADER || state.len() > MAX_STATE {
            self.at = self.stop;
            return;
        }
        self.at = HEADER + state.len();
        for (to, &from) in self.bytes[HEADER..].iter_mut().zip(state) {
            *to = from;
        }
        self.stop = self.at + MAX_PRESENTATION + 1;
        self.state = state.len();
    }

    /// Appends text to the presentation. A short literal becomes a store or a
    /// few, without a call.
    #[inline(always)]
    pub fn text(&mut self, s: &str) {
        if s.len() > SHORT {
            return self.long(s);
        }
        self.put(self.at, s);
        self.advance(s.len());
    }

    /// Writes at most SHORT bytes.
    #[inline(always)]
    fn put(&mut self, at: usize, s: &str) {
        let (n, from) = (s.len(), s.as_ptr());
        // Safety: at is hardly more than stop, behind which there is room for a list;
        // each copy lies in the n bytes of s.
        unsafe {
            let to = self.bytes.as_mut_ptr().add(at);
            if n >= 8 {
                copy::<u64>(to, from, n - 8); // the farthest first: one check of the address serves all
                if n > 32 {
                    copy::<u64>(to, from, 24);
                }
                if n > 24 {
                    copy::<u64>(to, from, 16);
                }
                if n > 16 {
                    copy::<u64>(to, from, 8);
                }
                if n > 8 {
                    copy::<u64>(to, from, 0);
                }
            } else if n >= 4 {
                copy::<u32>(to, from, n - 4);
                if n > 4 {
                    copy::<u32>(to, from, 0);
                }
            } else if n > 0 {
                if n >= 2 {
                    copy::<u16>(to, from, n - 2);
                }
                if n != 2 {
                    copy::<u8>(to, from, 0);
                }
            }
        }
    }

    #[inline(never)]
    fn long(&mut self, s: &str) {
        for part in s.as_bytes().chunks(SHORT) {
            let room = self.bytes[self.at..].iter_mut();
            room.zip(part).for_each(|(to, &from)| *to = from);
            self.advance(part.len());
        }
    }

    /// Moves the end, but never past the room.
    #[inline(always)]
    fn advance(&mut self, n: usize) {
        let end = self.at + n;
        self.at = if end < self.stop { end } else { self.stop };
    }

    #[inline(always)]
    fn put_byte(&mut self, at: usize, c: u8) {
        // Safety: as in put.
        unsafe { *self.bytes.as_mut_ptr().add(at) = c };
    }

    /// Writes a number and returns its length.
    #[inline(always)]
    fn put_number(&mut self, at: usize, v: u64) -> usize {
        if v >= 10 {
            return digits(self.bytes, at, v);
        }
        self.put_byte(at, b'0' + v as u8);
        1
    }

    /// Writes a name with a comma behind it and returns its length without.
    #[inline(always)]
    fn put_name(&mut self, at: usize, name: &Name) -> usize {
        // Safety: as in put.
        unsafe {
            let (to, from) = (self.bytes.as_mut_ptr().add(at), name.0.as_ptr() as *const u64);
            let last = from.add(1).read();
            (to.add(8) as *mut u64).write_unaligned(last);
            (to as *mut u64).write_unaligned(from.read());
            (last >> 56) as usize
        }
    }

    /// Appends a number in decimal.
    #[inline(always)]
    pub fn number(&mut self, v: u64) {
        let n = self.put_number(self.at, v);
        self.advance(n);
    }

    /// Appends text in quotes; it must need no escape.
    #[inline(always)]
    pub fn quoted(&mut self, s: &str) {
        self.text("\"");
        self.text(s);
        self.text("\"");
    }

    /// Appends a name in its quotes.
    #[inline(always)]
    pub fn name(&mut self, name: &Name) {
        let n = self.put_name(self.at, name);
        self.advance(n);
    }

    /// Appends a list of names, given by their numbers: ["moon","fox"].
    #[inline(always)]
    pub fn list(&mut self, names: &[Name], numbers: &[u8]) {
        if numbers.len() > LIST {
            self.at = self.stop;
            return;
        }
        let (names, mut at) = (apart(names), self.at);
        self.put_byte(at, b'[');
        at += 1;
        for &i in numbers {
            at += self.put_name(at, &names[i as usize]) + 1; // with the comma
        }
        at -= !numbers.is_empty() as usize; // the last one's is not one
        self.put_byte(at, b']');
        self.advance(at + 1 - self.at);
    }

    /// Appends an amount as JSON has it: a string of minor units.
    #[inline(always)]
    pub fn amount(&mut self, minor: i64) {
        self.amount_field("", minor);
    }

    /// Appends text and a number behind it: `field(",\"left\":", left)`.
    #[inline(always)]
    pub fn field(&mut self, key: &str, v: u64) {
        if key.len() > SHORT {
            self.long(key);
            return self.number(v);
        }
        self.put(self.at, key);
        let n = self.put_number(self.at + key.len(), v);
        self.advance(key.len() + n);
    }

    /// Appends text and an amount behind it.
    #[inline(always)]
    pub fn amount_field(&mut self, key: &str, minor: i64) {
        if key.len() > SHORT {
            self.long(key);
            return self.amount_field("", minor);
        }
        self.put(self.at, key);
        let at = self.at + key.len();
        self.put_byte(at, b'"');
        let n = self.put_number(at + 1, minor as u64);
        self.put_byte(at + 1 + n, b'"');
        self.advance(key.len() + n + 2);
    }

    /// Ends the round with what this step wins.
    pub fn close(self, win_minor: i64) -> Answer {
        self.answer(win_minor, 1, 0)
    }

    /// Goes on: bit i of actions offers the action with id i.
    pub fn keep_open(self, win_minor: i64, actions: u32) -> Answer {
        self.answer(win_minor, 0, actions)
    }

    #[inline(always)]
    fn answer(self, win_minor: i64, flags: u32, actions: u32) -> Answer {
        if self.at == self.stop {
            return Answer(Refusal::Internal as i32);
        }
        let b = self.bytes;
        let shown = (self.at - HEADER - self.state) as u64;
        b[24..32].copy_from_slice(&[0; 8]);
        b[16..24].copy_from_slice(&(shown << 32 | self.state as u64).to_le_bytes());
        b[8..16].copy_from_slice(&((actions as u64) << 32 | flags as u64).to_le_bytes());
        b[0..8].copy_from_slice(&win_minor.to_le_bytes());
        Answer(self.at as i32)
    }
}

/// Copies a T at the same offset of both, with one load and one store.
///
/// Safety: both hold offset + size_of::<T>() bytes.
#[inline(always)]
unsafe fn copy<T>(to: *mut u8, from: *const u8, offset: usize) {
    (to.add(offset) as *mut T).write_unaligned((from.add(offset) as *const T).read_unaligned());
}

/// Writes the digits of a number at a place and returns how many they are.
#[inline(never)]
fn digits(bytes: &mut [u8; SIZE], at: usize, mut v: u64) -> usize {
    let mut digits = [0u8; 20];
    let mut n = digits.len();
    while v > u32::MAX as u64 {
        n -= 1;
        digits[n] = b'0' + (v % 10) as u8;
        v /= 10;
    }
    let mut v = v as u32; // cheaper to divide
    loop {
        n -= 1;
        digits[n] = b'0' + (v % 10) as u8;
        v /= 10;
        if v == 0 {
            break;
        }
    }
    let count = digits.len() - n;
    bytes[at..].iter_mut().zip(&digits[n..]).for_each(|(to, &from)| *to = from);
    count
}
