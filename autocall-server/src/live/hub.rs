//! The hub: one room per tenant for those who watch, one per agent for their console.

use autocall_core::ports::{Note, Notifier};
use autocall_core::{AgentId, TenantId};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::{broadcast, mpsc};

/// Events that a reader may be behind before it gets a snapshot instead.
const BEHIND_MAX: usize = 512;
/// Events remembered per room, for readers that come back.
const REMEMBERED: usize = 512;
/// Rooms at most; beyond it empty ones go.
const ROOMS_MAX: usize = 20_000;
/// Readers at most, on this node.
const READERS_MAX: usize = 10_000;

/// Whose room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Room {
    /// Everything of a tenant.
    Tenant(TenantId),
    /// One agent's own.
    Agent(AgentId),
}

/// A note with its place in its room.
#[derive(Clone, Debug)]
pub struct Event {
    /// The place, from 1.
    pub seq: u64,
    /// What changed; `None` where notes were lost on their way here.
    pub note: Option<Note>,
}

struct Inside {
    sender: broadcast::Sender<Arc<Event>>,
    past: VecDeque<Arc<Event>>,
    seq: u64,
}

/// The hub.
pub struct Hub {
    /// Differs at each start: a cursor of another life is not understood.
    life: String,
    rooms: Mutex<HashMap<Room, Inside>>,
    readers: AtomicUsize,
    /// To the other nodes, where there are some.
    out: OnceLock<mpsc::Sender<Note>>,
}

/// A reader's place in a room.
pub struct Reader {
    hub: Arc<Hub>,
    room: Room,
    receiver: broadcast::Receiver<Arc<Event>>,
    replay: VecDeque<Arc<Event>>,
    seq: u64,
    /// Whether the reader must begin with a snapshot.
    pub fresh: bool,
}

/// What a reader gets.
#[derive(Debug)]
pub enum Heard {
    /// Something changed.
    Event(Arc<Event>, Note),
    /// Too much was missed: take a snapshot.
    Missed,
    /// The server stops.
    Over,
}

impl Hub {
    /// A hub with a name for this life of the process.
    pub fn new(life: String) -> Hub {
        Hub { life, rooms: Mutex::new(HashMap::new()), readers: AtomicUsize::new(0), out: OnceLock::new() }
    }

    /// From now on notes of this node also go here, as long as there is room.
    pub fn also(&self, out: mpsc::Sender<Note>) {
        let _ = self.out.set(out);
    }

    /// Tells every reader that something was missed: each takes a snapshot.
    pub fn missed(&self) {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        for inside in rooms.values_mut() {
            inside.past.clear();
            inside.seq += 1;
            let _ = inside.sender.send(Arc::new(Event { seq: inside.seq, note: None }));
        }
    }

    /// Tells the readers of this node whom a note concerns. Never blocks.
    pub fn publish(&self, note: &Note) {
        let (tenant, agent) = match note {
            Note::Call { call, .. } => (call.tenant(), None),
            Note::Agent { agent } | Note::Offer { agent, .. } => (agent.tenant(), Some(*agent)),
            Note::Campaign { campaign } | Note::Planned { campaign, .. } | Note::Alarm { campaign, .. } => {
                (campaign.tenant(), None)
            }
            _ => return,
        };
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let agent = agent.map(Room::Agent);
        for room in [Some(Room::Tenant(tenant)), agent].into_iter().flatten() {
            // A room that nobody ever read remembers nothing.
            let Some(inside) = rooms.get_mut(&room) else { continue };
            inside.seq += 1;
            let event = Arc::new(Event { seq: inside.seq, note: Some(note.clone()) });
            if inside.past.len() >= REMEMBERED {
                inside.past.pop_front();
            }
            inside.past.push_back(event.clone());
            let _ = inside.sender.send(event);
        }
    }

    /// Begins to read a room, from a cursor where one is given and still understood. `None` if
    /// there are too many readers.
    pub fn read(self: &Arc<Self>, room: Room, cursor: Option<&str>) -> Option<Reader> {
        if self.readers.fetch_add(1, Ordering::Relaxed) >= READERS_MAX {
            self.readers.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() >= ROOMS_MAX && !rooms.contains_key(&room) {
            rooms.retain(|_, inside| inside.sender.receiver_count() > 0);
        }
        let inside = rooms.entry(room).or_insert_with(|| Inside {
            sender: broadcast::channel(BEHIND_MAX).0,
            past: VecDeque::new(),
            seq: 0,
        });
        let replay = cursor.and_then(|c| self.since(inside, c));
        let fresh = replay.is_none();
        let (receiver, seq) = (inside.sender.subscribe(), inside.seq);
        drop(rooms);
        Some(Reader { hub: self.clone(), room, receiver, replay: replay.unwrap_or_default(), seq, fresh })
    }

    /// What came after a cursor; `None` if that cannot be said any more.
    fn since(&self, inside: &Inside, cursor: &str) -> Option<VecDeque<Arc<Event>>> {
        let (life, seq) = cursor.rsplit_once('-')?;
        let seq: u64 = seq.parse().ok()?;
        if life != self.life || seq > inside.seq {
            return None;
        }
        let oldest = inside.seq - inside.past.len() as u64;
        (seq >= oldest).then(|| inside.past.iter().filter(|e| e.seq > seq).cloned().collect())
    }

    /// How many read at this moment.
    pub fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }
}

impl Notifier for Hub {
    fn notify(&self, note: &Note) {
        crate::ops::metrics::note(note);
        self.publish(note);
        if let Some(out) = self.out.get() {
            // A full queue loses the note for consoles on other nodes, which is allowed.
            let _ = out.try_send(note.clone());
        }
    }
}

impl Reader {
    /// The next event. Safe to drop while it waits.
    pub async fn next(&mut self) -> Heard {
        if let Some(event) = self.replay.pop_front()
            && let Some(note) = event.note.clone()
        {
            return Heard::Event(event, note);
        }
        match self.receiver.recv().await {
            Ok(event) => {
                self.seq = event.seq;
                match event.note.clone() {
                    Some(note) => Heard::Event(event, note),
                    None => Heard::Missed,
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {
                // Forget what is still queued: the snapshot is newer than all of it.
                self.receiver = self.receiver.resubscribe();
                self.seq = self.hub.seq(self.room);
                Heard::Missed
            }
            Err(broadcast::error::RecvError::Closed) => Heard::Over,
        }
    }
    /// The cursor after an event.
    pub fn cursor(&self, seq: u64) -> String {
        format!("{}-{seq}", self.hub.life)
    }
    /// The cursor of a snapshot that is taken now.
    pub fn here(&self) -> String {
        self.cursor(self.seq)
    }
}

impl Hub {
    fn seq(&self, room: Room) -> u64 {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.get(&room).map_or(0, |inside| inside.seq)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hub.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::CampaignId;

    fn note(tenant: u32, n: u128) -> Note {
        Note::Campaign { campaign: CampaignId::small(TenantId(tenant), n) }
    }

    async fn heard(reader: &mut Reader) -> u64 {
        match reader.next().await {
            Heard::Event(event, _) => event.seq,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_reader_comes_back_where_it_left_and_sees_no_other_tenant() {
        let hub = Arc::new(Hub::new("life".into()));
        let room = Room::Tenant(TenantId(1));
        let mut reader = hub.read(room, None).expect("room");
        assert!(reader.fresh);
        hub.publish(&note(1, 1));
        hub.publish(&note(2, 2));
        hub.publish(&note(1, 3));
        assert_eq!(heard(&mut reader).await, 1);
        let cursor = reader.cursor(1);
        drop(reader);
        let mut again = hub.read(room, Some(&cursor)).expect("room");
        assert!(!again.fresh);
        assert_eq!(heard(&mut again).await, 2);
        hub.publish(&note(1, 4));
        assert_eq!(heard(&mut again).await, 3);
        for stranger in ["other-1", "life-99", "life", "life-x"] {
            assert!(hub.read(room, Some(stranger)).expect("room").fresh, "{stranger}");
        }
        drop(again);
        assert_eq!(hub.readers(), 0);
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_to_take_a_snapshot() {
        let hub = Arc::new(Hub::new("life".into()));
        let mut reader = hub.read(Room::Tenant(TenantId(1)), None).expect("room");
        for n in 0..(BEHIND_MAX as u128 + 10) {
            hub.publish(&note(1, n));
        }
        assert!(matches!(reader.next().await, Heard::Missed));
        let cursor = reader.here();
        hub.publish(&note(1, 9_999));
        assert_eq!(heard(&mut reader).await, BEHIND_MAX as u64 + 11, "the missed ones do not come after the snapshot");
        let past = hub.read(Room::Tenant(TenantId(1)), Some(&cursor)).expect("room");
        assert!(!past.fresh);
        let old = hub.read(Room::Tenant(TenantId(1)), Some("life-3")).expect("room");
        assert!(old.fresh, "too old to be remembered");
    }

    #[tokio::test]
    async fn what_was_lost_between_nodes_is_made_good_by_a_snapshot() {
        let hub = Arc::new(Hub::new("life".into()));
        let room = Room::Tenant(TenantId(1));
        let mut reader = hub.read(room, None).expect("room");
        hub.publish(&note(1, 1));
        let before = (heard(&mut reader).await, reader.here()).1;
        hub.missed();
        assert!(matches!(reader.next().await, Heard::Missed));
        assert!(hub.read(room, Some(&before)).expect("room").fresh, "who comes back takes a snapshot as well");
        assert!(!hub.read(room, Some(&reader.here())).expect("room").fresh);
    }

    #[tokio::test]
    async fn an_agent_hears_only_what_concerns_them() {
        let hub = Arc::new(Hub::new("life".into()));
        let (me, you) = (AgentId::small(TenantId(1), 1), AgentId::small(TenantId(1), 2));
        let mut mine = hub.read(Room::Agent(me), None).expect("room");
        hub.publish(&Note::Agent { agent: you });
        hub.publish(&note(1, 1));
        hub.publish(&Note::Agent { agent: me });
        assert_eq!(heard(&mut mine).await, 1);
    }
}
