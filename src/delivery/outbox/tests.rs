use bytes::Bytes;
use futures_util::FutureExt;
use protocol::{CloseCode, Codec, ServerMessage};

use super::{BATCH_BYTES_MAX, BATCH_FRAMES_MAX, Outbox, OutboxReader, Outgoing, outbox};
use crate::config::{Config, DeliveryConfig, Layers};
use crate::delivery::latest::examples::{Boards, standing};

fn config() -> DeliveryConfig {
    let config = Config::read(Layers::built_in()).expect("the built-in settings are good");
    DeliveryConfig {
        outbound_bytes_max: 10,
        outbound_frames_max: 3,
        ..config.delivery
    }
}

/// An action on one half of the outbox, or an expectation.
enum Step {
    Push(&'static str),
    Begin(&'static [&'static str]),
    /// The next board.
    Board,
    Standing(u32),
    Close(CloseCode),
    /// The reader gets these frames.
    Gets(&'static [&'static str]),
    GetsClose(CloseCode),
    /// The reader has to wait.
    Waits,
}

use Step::{Begin, Board, Close, Gets, GetsClose, Push, Standing, Waits};

struct Pair {
    outbox: Outbox,
    reader: OutboxReader,
    boards: Boards,
}

impl Pair {
    fn new() -> Self {
        let (outbox, reader) = outbox(&config(), Codec::Json);
        Self {
            outbox,
            reader,
            boards: Boards::default(),
        }
    }

    fn play(&mut self, case: &str, steps: &[Step]) {
        for (at, step) in steps.iter().enumerate() {
            match step {
                Push(text) => self.outbox.push((*text).into()),
                Begin(texts) => self.outbox.begin(texts.iter().map(|text| (*text).into())),
                Board => self.outbox.push_latest(self.boards.next()),
                Standing(rank) => self.outbox.push_latest(standing(*rank)),
                Close(code) => self.outbox.close(*code),
                Gets(frames) => {
                    let Some(Outgoing::Frames(got)) = self.reader.next().now_or_never() else {
                        panic!("{case}, step {at}: no frames");
                    };
                    let got: Vec<String> = got.iter().map(shown).collect();
                    assert_eq!(got, *frames, "{case}, step {at}");
                }
                GetsClose(code) => {
                    let got = self.reader.next().now_or_never();
                    assert_eq!(got, Some(Outgoing::Close(*code)), "{case}, step {at}");
                }
                Waits => {
                    let got = self.reader.next().now_or_never();
                    assert_eq!(got, None, "{case}, step {at}");
                }
            }
        }
    }
}

/// A frame, abbreviated.
fn shown(frame: &Bytes) -> String {
    match Codec::Json.decode(frame) {
        Ok(ServerMessage::Board(board)) => match board.base {
            None => format!("board {}", board.version),
            Some(base) => format!("board {base} to {}", board.version),
        },
        Ok(ServerMessage::Standing(standing)) => format!("rank {}", standing.rank),
        Ok(other) => panic!("{other:?} is not sent here"),
        Err(_) => String::from_utf8_lossy(frame).into_owned(),
    }
}

#[test]
fn must_keeps_its_order_and_its_bounds() {
    let slow = CloseCode::SlowReader;
    let cases: &[(&str, &[Step])] = &[
        ("nothing", &[Waits]),
        (
            "frames come in order, and then the first close",
            &[
                Push("a"),
                Push("b"),
                Close(CloseCode::Replaced),
                Close(CloseCode::GoingAway),
                Push("late"),
                Begin(&["late"]),
                Board,
                Gets(&["a", "b"]),
                GetsClose(CloseCode::Replaced),
            ],
        ),
        (
            "too many frames",
            &[Push("a"), Push("b"), Push("c"), Push("d"), GetsClose(slow)],
        ),
        (
            "too many bytes",
            &[Push("aaaaaa"), Push("aaaaaa"), GetsClose(slow)],
        ),
        (
            "what is taken counts no more",
            &[
                Push("aaaaaa"),
                Gets(&["aaaaaa"]),
                Push("bbbbbb"),
                Gets(&["bbbbbb"]),
                Waits,
            ],
        ),
        (
            "after an overflow further frames are ignored",
            &[
                Push("aaaaaa"),
                Push("aaaaaa"),
                Push("a"),
                Standing(1),
                GetsClose(slow),
            ],
        ),
    ];
    for (case, steps) in cases {
        Pair::new().play(case, steps);
    }
}

#[test]
fn first_frames_of_any_size_are_sent_whole_and_first() {
    let slow = CloseCode::SlowReader;
    let cases: &[(&str, &[Step])] = &[
        (
            "larger than the queue",
            &[
                Begin(&["aaaaaaaaaa"; 9]),
                Push("b"),
                Gets(&["aaaaaaaaaa"; 9]),
                Gets(&["b"]),
            ],
        ),
        (
            "even if the frames after them overflow the queue",
            &[
                Begin(&["aaaaaaaaaa"; 9]),
                Push("c"),
                Push("c"),
                Push("c"),
                Push("c"),
                Gets(&["aaaaaaaaaa"; 9]),
                GetsClose(slow),
            ],
        ),
        (
            "repeated first frames count towards the bounds",
            &[
                Begin(&["a"]),
                Begin(&["b", "c"]),
                Begin(&["d", "e"]),
                Gets(&["a"]),
                GetsClose(slow),
            ],
        ),
        (
            "a second attachment queues after the waiting frames",
            &[Push("a"), Begin(&["b"]), Push("c"), Gets(&["a", "b", "c"])],
        ),
    ];
    for (case, steps) in cases {
        Pair::new().play(case, steps);
    }
}

/// Cases of latest values, each with its steps.
const LATEST: &[(&str, &[Step])] = &[
    (
        "kinds do not replace each other",
        &[
            Standing(3),
            Board,
            Standing(2),
            Gets(&["board 1", "rank 2"]),
            Waits,
        ],
    ),
    (
        "the first version is whole, the next a change",
        &[
            Board,
            Gets(&["board 1"]),
            Board,
            Gets(&["board 1 to 2"]),
            Board,
            Gets(&["board 2 to 3"]),
        ],
    ),
    (
        "a whole version that was replaced is no base",
        &[
            Board,
            Board,
            Gets(&["board 2"]),
            Board,
            Gets(&["board 2 to 3"]),
        ],
    ),
    (
        "a change that was replaced is no base",
        &[
            Board,
            Gets(&["board 1"]),
            Board,
            Board,
            Board,
            Gets(&["board 1 to 4"]),
            Board,
            Gets(&["board 4 to 5"]),
        ],
    ),
    (
        "a version too far behind is whole again",
        &[
            Board,
            Gets(&["board 1"]),
            Board,
            Board,
            Board,
            Board,
            Board,
            Gets(&["board 6"]),
        ],
    ),
    (
        "ordered frames go before latest values",
        &[
            Push("a"),
            Board,
            Push("b"),
            Gets(&["a", "b", "board 1"]),
            Push("c"),
            Gets(&["c"]),
        ],
    ),
    (
        "after a new attachment the version is whole",
        &[
            Board,
            Gets(&["board 1"]),
            Begin(&["welcome"]),
            Gets(&["welcome"]),
            Board,
            Gets(&["board 2"]),
        ],
    ),
    (
        "so is a version that was queued before the attachment",
        &[
            Board,
            Gets(&["board 1"]),
            Board,
            Begin(&["welcome"]),
            Gets(&["welcome", "board 2"]),
        ],
    ),
    (
        "so is a version behind an attachment that was queued",
        &[
            Board,
            Gets(&["board 1"]),
            Push("a"),
            Begin(&["welcome"]),
            Board,
            Gets(&["a", "welcome", "board 2"]),
        ],
    ),
    (
        "a latest value does not fill the queue, and is dropped by an overflow",
        &[
            Push("aaaaaaaaa"),
            Board,
            Standing(1),
            Push("b"),
            Push("c"),
            GetsClose(CloseCode::SlowReader),
        ],
    ),
    (
        "a latest value is sent before a close",
        &[
            Board,
            Close(CloseCode::Replaced),
            Gets(&["board 1"]),
            GetsClose(CloseCode::Replaced),
        ],
    ),
];

#[test]
fn only_the_latest_of_each_kind_is_sent_and_changes_build_on_sent_versions() {
    for (case, steps) in LATEST {
        Pair::new().play(case, steps);
    }
}

#[test]
fn the_version_that_was_sent_is_not_sent_again() {
    let mut pair = Pair::new();
    let board = pair.boards.next();
    pair.outbox.push_latest(board.clone());
    pair.play("first", &[Gets(&["board 1"])]);
    pair.outbox.push_latest(board);
    pair.play("again", &[Waits, Close(CloseCode::Normal)]);
    pair.play("close", &[GetsClose(CloseCode::Normal)]);
}

#[test]
fn a_shared_message_is_encoded_once() {
    let mut boards = Boards::default();
    let board = boards.next();
    let mut frames = Vec::new();
    for codec in [Codec::Json, Codec::Json, Codec::MessagePack] {
        let (outbox, mut reader) = outbox(&config(), codec);
        outbox.push_latest(board.clone());
        match reader.next().now_or_never() {
            Some(Outgoing::Frames(batch)) => frames.extend(batch),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(frames[0].as_ptr(), frames[1].as_ptr(), "the same bytes");
    assert_ne!(frames[0], frames[2], "in the other codec");
}

#[test]
fn a_batch_is_bounded_and_remaining_frames_still_count() {
    let config = DeliveryConfig {
        outbound_bytes_max: 4 * BATCH_BYTES_MAX,
        outbound_frames_max: 3 * BATCH_FRAMES_MAX,
        ..config()
    };
    let half = Bytes::from(vec![0; BATCH_BYTES_MAX / 2]);
    let whole = Bytes::from(vec![0; 2 * BATCH_BYTES_MAX]);
    let small = Bytes::from_static(b"a");
    for (pushed, batches) in [
        (vec![half.clone(); 5], vec![2, 2, 1]),
        (vec![small.clone(), whole, small.clone()], vec![1, 1, 1]),
        (
            vec![small; 2 * BATCH_FRAMES_MAX + 1],
            vec![BATCH_FRAMES_MAX, BATCH_FRAMES_MAX, 1],
        ),
    ] {
        for begins in [false, true] {
            let (outbox, mut reader) = outbox(&config, Codec::Json);
            if begins {
                outbox.begin(pushed.clone());
            } else {
                pushed.iter().cloned().for_each(|frame| outbox.push(frame));
            }
            for expected in &batches {
                let got = reader.next().now_or_never();
                let Some(Outgoing::Frames(got)) = got else {
                    panic!("{got:?} instead of {expected} frames");
                };
                assert_eq!(got.len(), *expected);
            }
            assert_eq!(reader.next().now_or_never(), None);
        }
    }
    // What was not given yet is dropped when the queue overflows.
    let (outbox, mut reader) = outbox(&config, Codec::Json);
    for _ in 0..8 {
        outbox.push(half.clone());
    }
    let given = reader.next().now_or_never();
    assert!(matches!(given, Some(Outgoing::Frames(given)) if given.len() == 2));
    for _ in 0..3 {
        outbox.push(half.clone());
    }
    let closed = Some(Outgoing::Close(CloseCode::SlowReader));
    assert_eq!(reader.next().now_or_never(), closed);
}

#[test]
fn a_connection_that_is_caught_up_holds_no_queue_memory() {
    let mut pair = Pair::new();
    for _ in 0..2 {
        pair.outbox.begin(["a".into()]);
        pair.outbox.push("b".into());
        pair.outbox.push_latest(standing(1));
        while pair.reader.next().now_or_never().is_some() {}
        let queue = pair.outbox.shared.queue();
        assert_eq!(queue.first_frames.capacity() + queue.frames.capacity(), 0);
        assert_eq!(queue.bytes, 0);
        assert!(queue.latest.iter().all(Option::is_none));
    }
}

#[test]
fn an_outbox_without_a_reader_is_gone_and_empty() {
    let Pair { outbox, reader, .. } = Pair::new();
    assert!(!outbox.is_gone());
    outbox.push("a".into());
    drop(reader);
    assert!(outbox.is_gone());
    outbox.push("b".into());
    outbox.push_latest(standing(1));
    assert_eq!(outbox.shared.queue().frames.capacity(), 0);
}
