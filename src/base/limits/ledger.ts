/** Limits of the ledger: what counts as given, for how long, and what follows; see limits.ts. */
import { GiB, KiB, MiB } from "../bytes.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const ledgerLimits = {
  ledger: {
    /** What a byte of files weighs as shards, n / k, in most classes: the ratio is of files. */
    shardsPerByte: 3,
    /** GB asked by default for one of files: what its shards weigh, so that all can have it. */
    ratio: 3,
    ratioMax: 100,
    /** Asked for so much of the time: a machine that is on for 16 hours proves 15 of them. */
    thereShare: 0.6,
    /** What one stranger's drive may keep here before it has given anything: a trial, ... */
    allowanceBytes: GiB,
    /** ... and all such together, of the quota: what takers alone can ever cost a giver. */
    newcomersShare: 0.05,
    /** Of that, the part of one /24 or /48: it takes eight such to use all of it up. */
    newcomersPrefixShare: 1 / 8,
    /** Of what a peer earned here, the part that is its own; on the rest its creditors may draw. */
    ownShare: 0.5,
    /** Between two right proofs of a shard, the most that counts: audits come at least daily. */
    intervalMsMax: 26 * hourMs,
    /** Of watched time: what is kept now counts soon, since what follows is slow enough. */
    halfLifeMs: 2 * dayMs,
    /** A shorter history counts as so long: an hour of plenty buys nothing. */
    watchedMsMin: dayMs,
    /** Nobody looked since: of what an entry told, half is believed after a month. */
    staleMs: 30 * dayMs,
    /** An entry so old is nobody's credit any more. */
    entryAgeMsMax: 180 * dayMs,
    /** How far ahead of ours the clock of an entry may be. */
    aheadMsMax: 10 * 60_000,
    /** The largest count of an entry: what JavaScript counts exactly. */
    countMax: Number.MAX_SAFE_INTEGER,
    /** Two entries of one position, each under its author's signature: a proof of fraud. */
    fraudBytesMax: KiB,
    /** Proofs of fraud that are kept, and shown at once. */
    fraudsMax: 1024,
    fraudsShown: 4,
    /** Entries of which a peer is part that it shows at once, 450 bytes each. */
    entriesShown: 64,
    /** One message of two peers' books: entries, proofs of fraud, and their framing. */
    messageBytesMax: 48 * KiB,
    /** Entries that are kept, with what was worked out from them: 1 KiB each in memory. */
    entriesMax: 16_384,
    /** Pairs of which this node itself is part: as many as owners in a vault. */
    pairsMax: 4096,
    /** How far from us the graph of debts is looked at, and how much of it. */
    depthMax: 4,
    peersMax: 4096,
    edgesMax: 16_384,
    /** Devices of one drive: as many as certificates of one peer. */
    devicesMax: 16,
    /** A device that has not shown its certificate for so long acts for the drive no more. */
    deviceMs: 31 * dayMs,
    /** Room is granted in pieces, each looked up once and kept for the one who asked. */
    grantBytes: 16 * MiB,
    grantMs: 60_000,
    /** And who was refused is looked up again as late, unless something new is known. */
    refusalMs: 10_000,
    /** Between two exchanges of books with one peer, and after one that failed. */
    settleEveryMs: hourMs,
    settleRestMs: 10 * 60_000,
    /** Exchanges in one step. */
    settlesPerStep: 4,
    /**
     * Exchanges that one peer may begin in a minute, as a client needs two an hour; one /24 or /48
     * a quarter of all; and all: each costs 50 ms of checking at most.
     */
    settles: { perPeerMax: 6, perPrefixMax: 30, perMinuteMax: 120 },
    /** Between two looks at who owes: nothing here is urgent. */
    lookEveryMs: 60_000,
    /** Drives looked at in one step: each may take a search through the graph. */
    looksPerStep: 4,
    /** A debtor is told for so long before a shard of it goes, ... */
    tellMs: 7 * dayMs,
    /** ... one at a time, ... */
    releaseEveryMs: hourMs,
    /** ... and never of a segment with fewer living shards beyond k. */
    spareShards: 4,
    /** Segments of a debtor that are drawn at once: one in n has its turn. */
    lodgingsSampled: 64,
    /** Shards let go of which their owner is told at once. */
    goneShown: 64,
    /** A debt told by a holder is repeated with each exchange; without, it counts as undone. */
    toldMs: 2 * dayMs,
    /** Marks of proven shards that are forgotten in one step, because they can earn no more. */
    sweepMax: 1024,
  },
} as const;
