//! Inputs of the fuzz targets: a saved corpus, and random changes to it.
//!
//! The inputs of a target are `tests/fuzz/corpus/TARGET/`, first unchanged, then changed as often as required. The
//! changes are the same in each run, unless `CODECHAT_TEST_SEED` sets another seed. Inputs that once broke something
//! are in the corpus.

use std::{fs, path::Path};

use futures_util::{StreamExt, stream};

use super::chance::Chance;

const AT_ONCE: usize = 16;

/// Words with a meaning in some format.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b",",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"%00",
    b"\xff",
    b"\xf0\x9f\x98\x80",
    "\u{202e}".as_bytes(),
    "\u{9b}".as_bytes(),
    b"\x1b[",
    b"\x1b]",
    b"m",
    b"data:",
    b"Transfer-Encoding: chunked\r\n",
];

/// Returns the inputs of a target: the corpus, and `more` that are made from it.
pub(crate) fn inputs(target: &str, more: usize) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut paths: Vec<_> = fs::read_dir(folder.join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let corpus: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!corpus.is_empty());
    let seed = std::env::var("CODECHAT_TEST_SEED").map_or(0, |it| it.parse().unwrap());
    let mut chance = Chance::new(seed);
    let made = (0..more).map(|_| {
        let mut input = pick(&mut chance, &corpus).clone();
        for _ in 0..=chance.below(4) {
            change(&mut input, &mut chance, &corpus);
        }
        input
    });
    let made: Vec<_> = made.collect();
    corpus.into_iter().chain(made).collect()
}

fn pick<'a, T>(chance: &mut Chance, from: &'a [T]) -> &'a T {
    &from[place(chance, from.len() - 1)]
}

/// Returns a random place from 0 to the end, both included.
fn place(chance: &mut Chance, end: usize) -> usize {
    usize::try_from(chance.below(end as u64 + 1)).unwrap()
}

fn change(input: &mut Vec<u8>, chance: &mut Chance, corpus: &[Vec<u8>]) {
    let at = place(chance, input.len());
    let end = (at + usize::try_from(chance.size(6)).unwrap()).min(input.len());
    match chance.below(6) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 => drop(input.drain(at..end)),
        2 => {
            let again = input[at..end].repeat(1 + place(chance, 40));
            input.splice(at..at, again);
        }
        3 => {
            let other = pick(chance, corpus);
            let rest = place(chance, other.len());
            input.truncate(at);
            input.extend_from_slice(&other[rest..]);
        }
        _ => {
            let word = *pick(chance, &WORDS);
            input.splice(at..at, word.iter().copied());
        }
    }
}

/// Runs a function on each input, some at a time.
pub(crate) async fn with_each<F: Future<Output = ()>>(
    inputs: Vec<Vec<u8>>,
    target: impl Fn(Vec<u8>) -> F,
) {
    let all = stream::iter(inputs).map(target);
    all.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}
