//! Edgereel guest kit for Rust, ABI v1: `no_std`, no dependencies, no
//! allocation, and no `unsafe` for the game.
//!
//! A game implements [`Game`] and names itself once:
//!
//! ```ignore
//! #![cfg_attr(target_arch = "wasm32", no_std)]
//! use edgereel::{export_game, Answer, Draws, Game, Input, Output, Refusal};
//!
//! struct Coin;
//!
//! impl Game for Coin {
//!     const MANIFEST: &'static str = r#"{"manifest":1, …}"#;
//!
//!     fn play<D: Draws>(input: &Input, draws: &mut D, out: Output) -> Result<Answer, Refusal> {
//!         if input.action != 1 {
//!             return Err(Refusal::UnknownAction);
//!         }
//!         let win = if draws.draw(2) == 0 { input.stake_minor } else { 0 };
//!         Ok(out.close(win))
//!     }
//! }
//!
//! export_game!(Coin);
//! ```
//!
//! Refuse before the first draw: after one, a refusal is an incident. Money is
//! in integers of minor units. The ABI itself is specified in docs/abi.md.

#![no_std]
#![deny(missing_docs)]

mod block;
mod output;

pub use block::{advise, manifest, play, Block};
pub use output::{Answer, Name, Output};

/// Most bytes of state the ABI allows.
pub const MAX_STATE: usize = 4096;
/// Most bytes of presentation the ABI allows.
pub const MAX_PRESENTATION: usize = 16384;

/// One game module.
pub trait Game {
    /// The manifest, JSON; see docs/abi.md.
    const MANIFEST: &'static str;

    /// Evaluates one step: a function of the input and the draws alone.
    fn play<D: Draws>(input: &Input, draws: &mut D, out: Output) -> Result<Answer, Refusal>;
}

/// A game whose player decides something, and the strategy its figures hold
/// for. Exported by `export_game!(Name, advise)`.
pub trait Advise: Game {
    /// What the strategy does in an open round; the input's action is 0.
    fn advise(input: &Input) -> Result<Advice, Refusal>;
}

/// An action that is offered, and one of its choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Id of the action.
    pub action: u32,
    /// What to pick, 0 for an action that picks nothing.
    pub choice: u32,
}

/// What the host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    /// Id of the action.
    pub action: u32,
    /// Id of the bet mode.
    pub mode: u32,
    /// What the player picked, for actions that pick something, else 0.
    pub choice: u32,
    /// Base stake of the round in minor units, the same in each of its steps.
    pub stake_minor: i64,
    /// What the round's previous step kept; empty opens a round.
    pub state: &'a [u8],
}

/// A step that is not played. The numbers are the ABI's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Refusal {
    /// Stake, mode or choice make no sense to this game.
    BadInput = -1,
    /// The state is not one that this game wrote.
    BadState = -3,
    /// There is no such action, or it is not offered now.
    UnknownAction = -4,
    /// The game cannot go on: always an incident.
    Internal = -5,
}

/// The supply of uniform values; the host's in a module, any other in a test.
pub trait Draws {
    /// One uniform value in [0, bound); bound is at least 1.
    fn draw(&mut self, bound: u32) -> u32;

    /// Replaces each bound by a value below it, in order, in one call.
    fn draw_many(&mut self, bounds: &mut [u32]) {
        for b in bounds {
            *b = self.draw(*b);
        }
    }
}

/// Makes a module of a [`Game`]: its exports, its block of memory, and a panic
/// that traps. Use it once, at the top level of the crate. It does nothing
/// where the target is not wasm32, so that tests can use the game directly.
#[macro_export]
macro_rules! export_game {
    ($game:ty) => {
        $crate::export_game!(@minor 0, $game,);
    };
    ($game:ty, advise) => {
        $crate::export_game!(@minor 1, $game,
            #[no_mangle]
            extern "C" fn edgereel_advise(length: i32) -> i32 {
                $crate::advise::<$game>(block(), length)
            }
        );
    };
    (@minor $minor:literal, $game:ty, $($advise:item)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            fn block() -> &'static mut $crate::Block {
                static mut BLOCK: $crate::Block = $crate::Block::new();
                // Safety: a module has one thread, the host does not run
                // meanwhile, and only the exports here, which do not call each
                // other, borrow the block, for their own length.
                unsafe { &mut *core::ptr::addr_of_mut!(BLOCK) }
            }

            $($advise)?

            #[no_mangle]
            extern "C" fn edgereel_abi_1() -> i32 {
                $minor
            }

            #[no_mangle]
            extern "C" fn edgereel_io() -> *mut u8 {
                block().bytes().as_mut_ptr()
            }

            #[no_mangle]
            extern "C" fn edgereel_manifest() -> i32 {
                $crate::manifest::<$game>(block())
            }

            #[no_mangle]
            extern "C" fn edgereel_play(length: i32) -> i32 {
                $crate::play::<$game, _>(block(), length, &mut $crate::HostDraws)
            }

            #[panic_handler]
            fn panic(_: &core::panic::PanicInfo) -> ! {
                core::arch::wasm32::unreachable()
            }
        };
    };
}

/// The host's draws. Only a module has them.
#[cfg(target_arch = "wasm32")]
pub struct HostDraws;

#[cfg(target_arch = "wasm32")]
mod host {
    #[link(wasm_import_module = "edgereel")]
    extern "C" {
        pub fn draw(bound: u32) -> u32;
        pub fn draw_many(bounds: *const u32, values: *mut u32, n: u32);
    }
}

#[cfg(target_arch = "wasm32")]
impl Draws for HostDraws {
    fn draw(&mut self, bound: u32) -> u32 {
        // Safety: the host takes and gives a number.
        unsafe { host::draw(bound) }
    }

    fn draw_many(&mut self, bounds: &mut [u32]) {
        let p = bounds.as_mut_ptr();
        // Safety: the host reads and writes the slice, and knows its length; the
        // ABI lets both be the same.
        unsafe { host::draw_many(p, p, bounds.len() as u32) }
    }
}
