//! Shards made on several threads and delivered in the order of their names: what comes out does not depend on how many
//! threads there are, or are to be had.
//!
//! Bounded memory: each thread has one batch in hand and one in its queue. A name with much JSON is made by the caller's
//! own thread when its turn comes, so that there is only ever one such in memory.

use std::fs::File;
use std::ops::Range;
use std::sync::{OnceLock, mpsc};
use std::thread;

use rattler_digest::{Sha256, compute_bytes_digest};

use super::ShardError;
use super::content;
use super::group::{Groups, Place};
use crate::repodata::Limits;
use crate::zst;

/// JSON of the names that a thread takes at once; the last one may go beyond it.
const BATCH: u64 = 256 << 10;
/// From so much JSON on a name is made by the calling thread.
const LARGE: u64 = 4 << 20;

/// A compressed shard.
pub(super) struct Frame {
    pub(super) sha256: [u8; 32],
    pub(super) bytes: Vec<u8>,
}

/// Gives `take` the name and shard of each group, in their order, made on `threads` threads besides this one, on fewer
/// where the system has no more to give, and on this one where it has none.
pub(super) fn each<'a>(
    json: &File,
    groups: &'a Groups,
    limits: Limits,
    threads: usize,
    mut take: impl FnMut(&'a str, Frame) -> Result<(), ShardError>,
) -> Result<(), ShardError> {
    let named: Vec<&[Place]> = groups.places.chunk_by(|a, b| a.name == b.name).collect();
    let batches = batches(&named);
    let small = || batches.iter().filter(|batch| !batch.is_large);
    let name_of = |places: &[Place]| &*groups.names[places[0].name as usize];
    let make = |maker: &mut Maker, range: &Range<usize>| -> Result<Vec<Frame>, ShardError> {
        let places = named[range.clone()].iter();
        places
            .map(|places| maker.frame(json, name_of(places), places, limits))
            .collect()
    };
    // How many there are, which each of them needs to know.
    let begun = OnceLock::new();
    thread::scope(|scope| {
        let queues: Vec<mpsc::Receiver<_>> = (0..threads)
            .map_while(|first| {
                let (sender, receiver) = mpsc::sync_channel(1);
                let (make, small, begun) = (&make, &small, &begun);
                let work = move || {
                    let mut maker = Maker::default();
                    for batch in small().skip(first).step_by(*begun.wait()) {
                        // Nobody listens any more once something failed.
                        if sender.send(make(&mut maker, &batch.names)).is_err() {
                            break;
                        }
                    }
                };
                let spawned = thread::Builder::new().spawn_scoped(scope, work);
                spawned.ok().map(|_| receiver)
            })
            .collect();
        begun
            .set(queues.len())
            .expect("it is set here and nowhere else");
        let mut turns = queues.iter().cycle();
        let mut here = Maker::default();
        for batch in &batches {
            let queue = match batch.is_large {
                true => None,
                false => turns.next(),
            };
            let frames = match queue.map(mpsc::Receiver::recv) {
                None => make(&mut here, &batch.names)?,
                Some(Ok(frames)) => frames?,
                // The thread panicked; so does the scope, now.
                Some(Err(mpsc::RecvError)) => return Ok(()),
            };
            for (places, frame) in named[batch.names.clone()].iter().zip(frames) {
                take(name_of(places), frame)?;
            }
        }
        Ok(())
    })
}

/// Names that are made together, as a range of all of them.
#[derive(Debug, PartialEq, Eq)]
struct Batch {
    names: Range<usize>,
    is_large: bool,
}

fn batches(named: &[&[Place]]) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut start = 0;
    let mut size = 0;
    let mut end_at = |start: &mut usize, end: usize, is_large: bool| {
        if *start < end {
            let names = *start..end;
            batches.push(Batch { names, is_large });
            *start = end;
        }
    };
    for (position, places) in named.iter().enumerate() {
        let json = content::size(places);
        if json >= LARGE {
            end_at(&mut start, position, false);
            end_at(&mut start, position + 1, true);
            size = 0;
            continue;
        }
        size += json;
        if size >= BATCH {
            end_at(&mut start, position + 1, false);
            size = 0;
        }
    }
    end_at(&mut start, named.len(), false);
    batches
}

/// What a thread needs again and again.
#[derive(Default)]
struct Maker {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    content: Vec<u8>,
}

impl Maker {
    fn frame(
        &mut self,
        json: &File,
        name: &str,
        places: &[Place],
        limits: Limits,
    ) -> Result<Frame, ShardError> {
        let compressing = |error| ShardError::Io {
            what: "compress a shard",
            error,
        };
        self.content.clear();
        content::shard(json, name, places, limits, &mut self.content)?;
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(zst::LEVEL).map_err(compressing)?),
        };
        let bytes = compressor.compress(&self.content).map_err(compressing)?;
        let sha256 = compute_bytes_digest::<Sha256>(&bytes).into();
        Ok(Frame { sha256, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repodata::Section;

    #[test]
    fn batches_hold_every_name_once_in_order_and_large_ones_alone() {
        let place = |len| Place {
            name: 0,
            section: Section::Packages,
            len,
            offset: 0,
        };
        let small = [place(1000)];
        let medium = [place(200 << 10)];
        let large = [place(2 << 20), place(2 << 20)];
        let named: [&[Place]; 7] = [&small, &medium, &small, &large, &large, &medium, &medium];
        let batch = |names, is_large| Batch { names, is_large };
        let expected = [
            batch(0..3, false),
            batch(3..4, true),
            batch(4..5, true),
            batch(5..7, false),
        ];
        assert_eq!(batches(&named), expected);
        assert_eq!(batches(&[]), []);
        let one_each = [&medium[..]; 5];
        let ends: Vec<_> = batches(&one_each).iter().map(|b| b.names.end).collect();
        assert_eq!(ends, [2, 4, 5]);
    }
}
