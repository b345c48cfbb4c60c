//! Plays the test vectors of the ABI natively: the kit's codec and the example
//! game, without a WebAssembly engine.

#[path = "../example/lantern_pick.rs"]
mod lantern_pick;

use edgereel::{advise, manifest, play, Block, Draws, Game};
use lantern_pick::LanternPick;

const OUTPUT: usize = 16384;

/// Gives the values of a vector and notes the bounds.
struct Script {
    given: Vec<(u32, u32)>,
    asked: usize,
}

impl Draws for Script {
    fn draw(&mut self, bound: u32) -> u32 {
        let (want, value) = self.given[self.asked];
        assert_eq!(bound, want, "bound of draw {}", self.asked);
        self.asked += 1;
        value
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    if hex == "-" {
        return Vec::new();
    }
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn script(words: &str) -> Script {
    let pair = |w: &str| {
        let (bound, value) = w.split_once(':').unwrap();
        (bound.parse().unwrap(), value.parse().unwrap())
    };
    Script { given: words.split(',').filter(|w| *w != "-").map(pair).collect(), asked: 0 }
}

fn output(block: &mut Block, n: usize) -> Vec<u8> {
    block.bytes()[OUTPUT..OUTPUT + n].to_vec()
}

fn check(name: &str, words: &[&str]) {
    let (input, length) = (bytes(words[1]), words[2].parse().unwrap());
    let mut draws = script(words[3]);
    let mut block = Block::new();
    block.bytes()[..input.len()].copy_from_slice(&input);
    let code = match words[0] {
        "play" => play::<LanternPick, _>(&mut block, length, &mut draws),
        _ => advise::<LanternPick>(&mut block, length),
    };
    assert_eq!(code, words[4].parse::<i32>().unwrap(), "{name}");
    assert_eq!(draws.asked, draws.given.len(), "{name}: draws");
    if words[0] == "play" && code >= 0 {
        assert_eq!(output(&mut block, code as usize), bytes(words[5]), "{name}");
    }
}

#[test]
fn vectors() {
    let path = std::env::var("EDGEREEL_VECTORS").unwrap_or_else(|_| "../vectors/lantern-pick.txt".to_string());
    let text = std::fs::read_to_string(path).unwrap();
    let (mut name, mut played) = ("", 0);
    for line in text.lines() {
        if let Some(want) = line.strip_prefix("manifest ") {
            assert_eq!(LanternPick::MANIFEST, want);
            let mut block = Block::new();
            let n = manifest::<LanternPick>(&mut block);
            assert_eq!(output(&mut block, n as usize), want.as_bytes());
        } else if let Some(comment) = line.strip_prefix("# ") {
            name = comment;
        } else {
            check(name, &line.split(' ').collect::<Vec<_>>());
            played += 1;
        }
    }
    assert!(played >= 80, "{played} vectors");
}
