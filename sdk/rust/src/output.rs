//! What a game answers.

use crate::{Refusal, MAX_PRESENTATION, MAX_STATE};

const HEADER: usize = 32;

/// The answer of a step, written from front to back: first the state, if the
/// round goes on, then the presentation. What does not fit makes the step an
/// incident when it ends.
pub struct Output<'a> {
    bytes: &'a mut [u8],
    at: usize,
    room: usize, // where the presentation must end
    state: usize,
    full: bool,
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
    pub(crate) fn new(bytes: &'a mut [u8]) -> Output<'a> {
        Output { bytes, at: HEADER, room: HEADER + MAX_PRESENTATION, state: 0, full: false }
    }

    /// Writes the state that the next step gets. Once, before any presentation.
    pub fn state(&mut self, state: &[u8]) {
        if self.at != HEADER || state.len() > MAX_STATE {
            self.full = true;
            return;
        }
        self.at = HEADER + state.len();
        self.bytes[HEADER..self.at].copy_from_slice(state);
        self.room = self.at + MAX_PRESENTATION;
        self.state = state.len();
    }

    /// Appends text to the presentation.
    #[inline(never)]
    pub fn text(&mut self, s: &str) {
        let end = self.at + s.len();
        match self.bytes.get_mut(self.at..end) {
            Some(to) if end <= self.room => {
                to.copy_from_slice(s.as_bytes());
                self.at = end;
            }
            _ => self.full = true,
        }
    }

    /// Appends a number in decimal.
    #[inline(never)]
    pub fn number(&mut self, mut v: u64) {
        let mut digits = [0u8; 20];
        let mut n = digits.len();
        loop {
            n -= 1;
            digits[n] = b'0' + (v % 10) as u8;
            v /= 10;
            if v == 0 {
                break;
            }
        }
        if let Ok(s) = core::str::from_utf8(&digits[n..]) {
            self.text(s);
        }
    }

    /// Appends text in quotes; it must need no escape.
    pub fn quoted(&mut self, s: &str) {
        self.text("\"");
        self.text(s);
        self.text("\"");
    }

    /// Appends an amount as JSON has it: a string of minor units.
    pub fn amount(&mut self, minor: i64) {
        self.text("\"");
        self.number(minor as u64);
        self.text("\"");
    }

    /// Ends the round with what this step wins.
    pub fn close(self, win_minor: i64) -> Answer {
        self.answer(win_minor, 1, 0)
    }

    /// Goes on: bit i of actions offers the action with id i.
    pub fn keep_open(self, win_minor: i64, actions: u32) -> Answer {
        self.answer(win_minor, 0, actions)
    }

    fn answer(self, win_minor: i64, flags: u32, actions: u32) -> Answer {
        if self.full {
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
