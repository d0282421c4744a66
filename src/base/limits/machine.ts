/** Limits of what a daemon takes of its machine: memory, threads, ports, line; see limits.ts. */
import { GiB, KiB, MiB } from "../bytes.ts";

export const machineLimits = {
  /** Lines of a log that is no debugger's: 10 MB a day, whatever others do to be told of. */
  log: { perSecond: 1, burst: 1_000 },
  swarm: {
    /** What one machine can carry; more is a test of patience. */
    peersMax: 100,
    /** Above what services have and below what kernels give to outgoing connections (Linux: from
     * 32,768 on), which would take a peer's port before it listens there, or while it rests. */
    ports: { first: 10_000, count: 22_000, triesMax: 100 },
    /** Processes that are started at once: a start keeps one processor busy for two seconds. */
    startsAtOnce: 4,
  },
  drive: {
    /** How long a start without a local store asks for what peers have: they are dialled first. */
    bringBackMs: 20_000,
    bringBackPauseMs: 500,
    /** How long the first mounts of a recovered drive ask whether there is a newer state by now. */
    freshenMs: 5_000,
  },
  memory: {
    /** How long a process must have done little before what it freed is given back. */
    restLookMs: 5_000,
    /** Of one processor; answering proofs and peers takes less than half of it. */
    restShareMax: 0.05,
    /** Bytes between two collections of young garbage: a quarter of what has V8 collect it all. */
    passedBytesMax: 16 * MiB,
    /** A heap from which on its growth is bounded ... */
    largeHeapBytes: 96 * MiB,
    /** ... to this, beyond all that lived in it when it was collected last. By itself V8 lets it be
     *  four times as large: in a walk over a million files 530 MiB, of which 150 lived. */
    heapGrowthPercent: 50,
  },
  bridge: {
    /** Young objects of the network's thread: by itself V8 lets them take 128 MiB. */
    youngGenerationMiBMax: 24,
    /** Between a fault of the network's thread and its next start: no busy loop, no long gap. */
    restartMs: 2000,
  },
  traffic: {
    /** A timetable is a line that a person wrote. */
    charsMax: 200,
    entriesMax: 16,
    /** Less is a mistake; and more than any line bears. */
    perSecondMin: KiB,
    perSecondMax: 1024 * GiB,
    /** What a quiet line has saved up: little, so that a limit is one from the first second on. */
    burstMs: 250,
    /** A program's read waits no longer for its turn, however low the limit: what the kernel reads
     *  ahead is two MiB at once, which 16 KiB a second bring by then. */
    ownerWaitMsMax: 128_000,
    /** A read that waited is on its way for a while, as slow as the limit may be. */
    heldMs: 20_000,
    /** What would take longer to read ahead is not: the line is the bound then, and is full. */
    aheadMsMax: 4_000,
    /** A peer that reads is told to ask others while it has patience left for them. */
    guestReadMsMax: 5_000,
    /** Of the shards that a peer brings, one is answered this often, taken or refused: without news
     *  for `peers.callTimeoutMs` it would take us for gone ... */
    guestStoreMs: 10_000,
    /** ... and so many wait: what is held for others must leave room for their proofs. */
    guestStoreBytesMax: 32 * MiB,
    /** Bulk that went a moment ago says that there is more: longer than between two shards. */
    lineUsedMs: 5_000,
    /** What leaves the line to others waits no longer, whatever it took itself. */
    courtesyMsMax: 5 * 60_000,
    /** Calls that wait for their turn: what all lanes of all peers may have under way. */
    waitingMax: 16_384,
    /** Between two looks at whether the link is metered, and where nobody can tell. */
    meteredLookMs: 30_000,
    meteredRestMs: 10 * 60_000,
    /** How long a program that is asked about the link may take, and what it may say. */
    meteredAnswerMsMax: 5_000,
    meteredAnswerBytesMax: 4 * KiB,
  },
  web: {
    /** Tabs of one user on one machine, six connections each at most. */
    connectionsMax: 64,
    /** A browser's headers without cookies are under 1 KiB. */
    headerBytesMax: 8 * KiB,
    /** Rows of the peers table: beyond it nobody reads, and the page gets slow. */
    peersShownMax: 500,
  },
} as const;
