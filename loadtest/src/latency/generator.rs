//! Makes the load: one thread that sends each guess at its moment and reads receipts as they come.
//!
//! It shares the machine with the server that it measures, so that what it costs counts: guesses are
//! encoded before the window, a timer of the system's wakes the thread for each moment, and one wait
//! serves all connections. A guess is sent at its moment whatever became of the ones before, and its
//! latency counts from that moment even if the thread came late to it.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::Duration;

use protocol::{ClientMessage, Command, Order, Verdict};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use tokio::time::Instant;

use super::LatencyError;
use super::pacer::Schedule;
use super::player_socket::{Answer, PlayerSocket, READ_BYTES};

/// Connections that one wait tells of; the others are told of by the next.
const EVENTS_MAX: usize = 64;

/// The longest wait, so that a server that falls silent is noticed.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// The timer's place among the connections.
const TIMER: u64 = u64::MAX;

/// What is guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guesses {
    /// Wrong words, on so many puzzles in turn.
    Wrong {
        /// Their number.
        puzzles: u64,
    },
    /// The answer, on one puzzle after the other.
    Solves,
}

/// When to guess.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// So many a second at even distances, on each connection in turn.
    Even { per_second: f64, length: Duration },
    /// On each connection as soon as its last guess is answered.
    Closed { length: Duration },
}

/// A guess that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    /// When it was to be sent.
    pub(super) intended_at: Instant,
    /// How late it was sent.
    pub(super) late: Duration,
    /// From the moment when it was to be sent.
    pub(super) latency: Duration,
}

/// What became of a window's guesses.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) began_at: Instant,
    pub(super) answered: Vec<Answered>,
    /// Guesses without an answer when it was given up.
    pub(super) unanswered: usize,
}

/// Guesses on open connections; a blocking thread runs it.
pub(super) struct Generator {
    clients: Vec<ClientState>,
    guesses: Guesses,
    epoll: OwnedFd,
    timer: OwnedFd,
    outcome: Outcome,
    /// Guesses that wait for an answer, on all connections.
    waiting: usize,
    /// Connections that did not take all that was sent.
    stuck: Vec<usize>,
    unanswered_for_max: Duration,
    checked_at: Instant,
}

/// A connection, and what it waits for.
struct ClientState {
    socket: PlayerSocket,
    last_id: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: u64,
    intended_at: Instant,
    sent_at: Instant,
}

/// The frames of a schedule, encoded: slot `n` belongs to the connection `n % seats`.
struct Encoded {
    bytes: Vec<u8>,
    frames: Vec<Range<usize>>,
}

impl Guesses {
    /// The order number `number` of a connection, counted from 1.
    fn order(self, number: u64) -> Order {
        let (puzzle, guess) = match self {
            Self::Wrong { puzzles } => (number % puzzles, format!("NOTTHEWORD{number}")),
            Self::Solves => (number - 1, "THEWORD".to_owned()),
        };
        let puzzle = format!("p{puzzle}");
        Order::SubmitGuess { puzzle, guess }
    }

    fn verdict(self) -> Verdict {
        match self {
            Self::Wrong { .. } => Verdict::Wrong,
            Self::Solves => Verdict::Correct,
        }
    }
}

impl Generator {
    /// Prepares a thread's work. A guess that stays unanswered for longer than `unanswered_for_max`
    /// ends it.
    pub(super) fn new(
        sockets: Vec<PlayerSocket>,
        guesses: Guesses,
        unanswered_for_max: Duration,
    ) -> Result<Self, LatencyError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(system)?;
        let readable = epoll::EventFlags::IN;
        let of_timer = epoll::EventData::new_u64(TIMER);
        epoll::add(&epoll, &timer, of_timer, readable).map_err(system)?;
        for (number, socket) in (0..).zip(&sockets) {
            let of_line = epoll::EventData::new_u64(number);
            epoll::add(&epoll, socket.stream(), of_line, readable).map_err(system)?;
        }
        let clients = sockets.into_iter().map(|socket| ClientState {
            socket,
            last_id: 0,
            waiting: VecDeque::new(),
        });
        Ok(Self {
            clients: clients.collect(),
            guesses,
            epoll,
            timer,
            outcome: Outcome {
                began_at: Instant::now(),
                answered: Vec::new(),
                unanswered: 0,
            },
            waiting: 0,
            stuck: Vec::new(),
            unanswered_for_max,
            checked_at: Instant::now(),
        })
    }

    /// Guesses until the load is over and everything is answered, or given up. Blocks its thread.
    /// The connections end with it.
    pub(super) fn run(self, load: Load) -> Result<Outcome, LatencyError> {
        match load {
            Load::Even { per_second, length } => self.run_evenly(per_second, length),
            Load::Closed { length } => self.run_closed(length),
        }
    }

    fn run_evenly(mut self, per_second: f64, length: Duration) -> Result<Outcome, LatencyError> {
        let slots = Schedule::of_rate(Instant::now(), per_second, length).slots;
        let encoded = self.encode(slots);
        self.outcome.answered.reserve(slots);
        let schedule = Schedule::of_rate(Instant::now(), per_second, length);
        self.outcome.began_at = schedule.start;
        self.arm(schedule)?;
        let mut buffer = vec![0; READ_BYTES];
        let mut slot = 0;
        let mut ready = Vec::with_capacity(EVENTS_MAX);
        loop {
            slot = self.send_due(schedule, slot, &encoded)?;
            let is_over = slot == schedule.slots;
            if (is_over && self.is_all_answered()) || self.has_timed_out() {
                return Ok(self.end(schedule.slots - slot));
            }
            self.wait(&mut ready)?;
            for &client in &ready {
                self.read(client, &mut buffer)?;
                // What is due goes first: a long list of receipts must not make guesses late.
                slot = self.send_due(schedule, slot, &encoded)?;
            }
            self.flush_stuck()?;
        }
    }

    fn run_closed(mut self, length: Duration) -> Result<Outcome, LatencyError> {
        self.outcome.began_at = Instant::now();
        let end = self.outcome.began_at + length;
        let mut buffer = vec![0; READ_BYTES];
        let mut ready: Vec<usize> = (0..self.clients.len()).collect();
        loop {
            for &client in &ready {
                self.read(client, &mut buffer)?;
                let now = Instant::now();
                if self.clients[client].waiting.is_empty() && now < end {
                    let mut frame = Vec::new();
                    self.encode_next(client, &mut frame);
                    self.send(client, &frame, now)?;
                }
            }
            self.flush_stuck()?;
            let is_over = Instant::now() >= end;
            if (is_over && self.is_all_answered()) || self.has_timed_out() {
                return Ok(self.end(0));
            }
            self.wait(&mut ready)?;
        }
    }

    fn encode(&mut self, slots: usize) -> Encoded {
        let mut encoded = Encoded {
            bytes: Vec::new(),
            frames: Vec::with_capacity(slots),
        };
        let ids: Vec<u64> = self.clients.iter().map(|client| client.last_id).collect();
        for slot in 0..slots {
            let begin = encoded.bytes.len();
            self.encode_next(slot % self.clients.len(), &mut encoded.bytes);
            encoded.frames.push(begin..encoded.bytes.len());
        }
        // They count when they are sent.
        for (client, last_id) in self.clients.iter_mut().zip(ids) {
            client.last_id = last_id;
        }
        encoded
    }

    fn encode_next(&mut self, client: usize, out: &mut Vec<u8>) {
        let client = &mut self.clients[client];
        client.last_id += 1;
        let id = client.last_id;
        let order = self.guesses.order(id);
        client
            .socket
            .encode(&ClientMessage::Command(Command { id, order }), out);
    }

    /// Has the timer wake the thread for every slot.
    fn arm(&self, schedule: Schedule) -> Result<(), LatencyError> {
        let until_first = schedule.start.saturating_duration_since(Instant::now());
        // Zero would switch it off.
        let timer = Itimerspec {
            it_interval: timespec(schedule.interval.max(Duration::from_nanos(1))),
            it_value: timespec(until_first.max(Duration::from_nanos(1))),
        };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &timer);
        set.map(drop).map_err(system)
    }

    /// Sends every guess whose moment has come; gives the next slot.
    fn send_due(
        &mut self,
        schedule: Schedule,
        from: usize,
        encoded: &Encoded,
    ) -> Result<usize, LatencyError> {
        let mut slot = from;
        while slot < schedule.slots && schedule.at(slot) <= Instant::now() {
            let client = slot % self.clients.len();
            self.clients[client].last_id += 1;
            let frame = &encoded.bytes[encoded.frames[slot].clone()];
            self.send(client, frame, schedule.at(slot))?;
            slot += 1;
        }
        Ok(slot)
    }

    /// Sends the guess with the seat's last id.
    fn send(
        &mut self,
        client: usize,
        frame: &[u8],
        intended_at: Instant,
    ) -> Result<(), LatencyError> {
        let ClientState {
            socket,
            last_id,
            waiting,
        } = &mut self.clients[client];
        waiting.push_back(Waiting {
            id: *last_id,
            intended_at,
            sent_at: Instant::now(),
        });
        self.waiting += 1;
        if !socket.send(frame)? && !self.stuck.contains(&client) {
            self.stuck.push(client);
        }
        Ok(())
    }

    fn flush_stuck(&mut self) -> Result<(), LatencyError> {
        let mut index = 0;
        while let Some(&client) = self.stuck.get(index) {
            if self.clients[client].socket.flush()? {
                self.stuck.swap_remove(index);
            } else {
                index += 1;
            }
        }
        Ok(())
    }

    /// Waits for the timer or for connections, and lists the connections.
    fn wait(&self, ready: &mut Vec<usize>) -> Result<(), LatencyError> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        let longest = timespec(WAIT_MAX);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&longest)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(system(error)),
        }
        ready.clear();
        for event in &events {
            match event.data.u64() {
                // How often it has run out does not matter: the clock says what is due.
                TIMER => match rustix::io::read(&self.timer, &mut [0_u8; 8]) {
                    Ok(_) | Err(Errno::AGAIN) => {}
                    Err(error) => return Err(system(error)),
                },
                client => ready.push(usize::try_from(client).expect("it was a place in a list")),
            }
        }
        Ok(())
    }

    fn read(&mut self, client: usize, buffer: &mut [u8]) -> Result<(), LatencyError> {
        let ClientState {
            socket, waiting, ..
        } = &mut self.clients[client];
        let (wanted, answered) = (self.guesses.verdict(), &mut self.outcome.answered);
        let all_waiting = &mut self.waiting;
        let mut received_at = None;
        socket.read(buffer, &mut |Answer { id, outcome }| {
            let index = waiting.iter().position(|waiting| waiting.id == id);
            let outstanding = index.and_then(|index| waiting.remove(index));
            let outstanding = outstanding.ok_or(LatencyError::UnknownAnswer)?;
            *all_waiting -= 1;
            match outcome {
                Ok(Some(verdict)) if verdict == wanted => {}
                Ok(_) => return Err(LatencyError::WrongVerdict),
                Err(code) => return Err(LatencyError::Refused(code)),
            }
            let received_at = *received_at.get_or_insert_with(Instant::now);
            answered.push(Answered {
                intended_at: outstanding.intended_at,
                late: outstanding.sent_at - outstanding.intended_at,
                latency: received_at - outstanding.intended_at,
            });
            Ok(())
        })
    }

    fn is_all_answered(&self) -> bool {
        self.waiting == 0
    }

    /// Whether a guess has waited for too long. Looks once in [`WAIT_MAX`], because it looks at all.
    fn has_timed_out(&mut self) -> bool {
        if self.checked_at.elapsed() < WAIT_MAX {
            return false;
        }
        self.checked_at = Instant::now();
        let oldest = self
            .clients
            .iter()
            .filter_map(|client| client.waiting.front());
        let oldest = oldest.map(|waiting| waiting.intended_at).min();
        oldest.is_some_and(|oldest| oldest.elapsed() > self.unanswered_for_max)
    }

    fn end(mut self, unsent: usize) -> Outcome {
        self.outcome.unanswered = self.waiting + unsent;
        self.outcome
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).expect("a window is short")
}

fn system(error: Errno) -> LatencyError {
    LatencyError::System(error.into())
}
