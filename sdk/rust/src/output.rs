//! What a game answers.

use crate::{Refusal, MAX_PRESENTATION, MAX_STATE};

const HEADER: usize = 32;

/// Bytes of the output's half of the block: more than an answer may have, so
/// that a short write at the end of the room stays inside.
pub(crate) const SIZE: usize = 49152;
/// Most bytes that are written at once: what is appended is written first and
/// may reach past the room, then the end is held to it. So nothing branches.
const SHORT: usize = 40;
const _: () = assert!(HEADER + MAX_STATE + MAX_PRESENTATION + 1 + SHORT <= SIZE);

/// The answer of a step, written from front to back: first the state, if the
/// round goes on, then the presentation. What does not fit makes the step an
/// incident when it ends.
pub struct Output<'a> {
    bytes: &'a mut [u8; SIZE],
    at: usize,   // at most stop
    stop: usize, // one past the room: at stays here once something did not fit
    state: usize,
}

/// A name of at most 14 bytes that is shown in quotes, ready to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(8))]
pub struct Name {
    text: [u8; 16],
    length: u8,
}

impl Name {
    /// A name; it must need no escape. Meant for constants: a longer one panics.
    pub const fn new(s: &str) -> Name {
        let (from, mut text, mut i) = (s.as_bytes(), [0; 16], 0);
        text[0] = b'"';
        while i < from.len() {
            text[i + 1] = from[i];
            i += 1;
        }
        text[i + 1] = b'"';
        Name { text, length: i as u8 + 2 }
    }
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
        let (n, from) = (s.len(), s.as_ptr());
        if n > SHORT {
            return self.long(s);
        }
        // Safety: at is at most stop, behind which SHORT bytes and more follow;
        // each copy lies in the n bytes of s.
        unsafe {
            let to = self.bytes.as_mut_ptr().add(self.at);
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
        self.advance(n);
    }

    #[inline(never)]
    fn long(&mut self, s: &str) {
        for part in s.as_bytes().chunks(SHORT) {
            let room = self.bytes[self.at..].iter_mut();
            room.zip(part).for_each(|(to, &from)| *to = from);
            self.advance(part.len());
        }
    }

    /// Moves the end, but never past the room; n is at most SHORT.
    #[inline(always)]
    fn advance(&mut self, n: usize) {
        let end = self.at + n;
        self.at = if end < self.stop { end } else { self.stop };
    }

    #[inline(always)]
    fn byte(&mut self, c: u8) {
        // Safety: as in text.
        unsafe { *self.bytes.as_mut_ptr().add(self.at) = c };
        self.advance(1);
    }

    /// Appends a number in decimal.
    #[inline(always)]
    pub fn number(&mut self, v: u64) {
        if v < 10 {
            self.byte(b'0' + v as u8);
        } else {
            let digits = digits(self.bytes, self.at, v);
            self.advance(digits);
        }
    }

    /// Appends text in quotes; it must need no escape.
    #[inline(always)]
    pub fn quoted(&mut self, s: &str) {
        self.byte(b'"');
        self.text(s);
        self.byte(b'"');
    }

    /// Appends a name in its quotes.
    #[inline(always)]
    pub fn name(&mut self, name: &Name) {
        // Safety: as in text.
        unsafe {
            let to = self.bytes.as_mut_ptr().add(self.at);
            copy::<u64>(to, name.text.as_ptr(), 8);
            copy::<u64>(to, name.text.as_ptr(), 0);
        }
        self.advance(name.length as usize);
    }

    /// Appends an amount as JSON has it: a string of minor units.
    #[inline(always)]
    pub fn amount(&mut self, minor: i64) {
        self.byte(b'"');
        self.number(minor as u64);
        self.byte(b'"');
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
        b[0..8].copy_from_slice(&win_minor.to_le_bytes());
        b[8..12].copy_from_slice(&flags.to_le_bytes());
        b[12..16].copy_from_slice(&actions.to_le_bytes());
        b[16..20].copy_from_slice(&(self.state as u32).to_le_bytes());
        b[20..24].copy_from_slice(&((self.at - HEADER - self.state) as u32).to_le_bytes());
        b[24..32].fill(0);
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
