/** Limits of what goes between peers, and of the work behind it; see limits.ts. */
import { GiB, KiB, MiB } from "../bytes.ts";

export const networkLimits = {
  policy: {
    /** A policy is a page that a person wrote, not a table. */
    charsMax: 32 * KiB,
    clausesMax: 256,
    /** The canonical text, in which unions are countries: it travels in the head of a request. */
    canonicalBytesMax: 32 * KiB,
    /** All countries, twice over. */
    namesMax: 512,
    /** Parentheses and `not` inside each other: more is somebody's game with the stack. */
    depthMax: 32,
    /** A preference beyond a thousand is a requirement, and should be said as one. */
    weightMax: 1000,
    weightMin: 0.001,
    /** Files in the folder of policies that are looked at. */
    filesMax: 256,
    /** Names that a drive's folders ever go by: all of them stand in its root record. */
    slotsMax: 15,
  },
  placement: {
    /** Households beyond n before a drive moves up a class: a tenth may come and go. */
    spareShare: 0.1,
    /** Peers sign a new offer at least daily; one a week old may describe a peer that is gone. */
    offerAgeMsMax: 7 * 24 * 3_600_000,
    /** A TiB: what a claim of free space can weigh at most, since claiming costs nothing. */
    weightBytesMax: 1024 * GiB,
    /** Room for 64 full shards: less is used up before the group is. */
    freeBytesMin: 64 * MiB,
    /** A home machine that is off for a third of the day; what `availability` counts with. */
    onlineShareAssumed: 2 / 3,
    /** Other seeds that are tried when a draw ran into its own caps, though peers are left. */
    drawsMax: 4,
    /**
     * Data shards from which on a group waits with repair until r are left: made one at a time they
     * cost five to eight times as much there; below, at most two and a half times.
     */
    patientFrom: 8,
    /** Losses that a segment must be able to bear: with k and so many left nobody is waited for. */
    spareShardsMin: 4,
    /** Of the peers that a draw knows, for a version to count by itself: to tell one is free. */
    versionShareMin: 0.1,
    versionPeersMin: 2,
    /** So much fuller than all together, of its quota, and a peer gives seats; emptier: takes. */
    levelBand: 0.1,
    /** Of what is too much at a peer, the part that goes in a turn: nobody sees what others do. */
    levelledPerTurn: 1 / 8,
  },
  transfer: {
    /** Gaps whose filler's CID is remembered: hashing a whole shard of zeros takes 0.6 ms. */
    zeroCidsMax: 64,
    /** Shards coded or on their way at once, in bytes: many small segments or two large ones. */
    flightBytesMax: 64 * MiB,
    segmentsInFlightMin: 2,
    /** Shards on their way at once: each waits for its holder's disk to sync, most do not send. */
    sendsMax: 48,
    /** Segments one upload step starts, so that a step stays bounded. */
    segmentsPerStepMax: 32,
    /** Tries per member and shard before the segment does without it for now. */
    sendTriesMax: 2,
    /** Shards, at most, of Merkle hashing between two breaths of the event loop. */
    hashesPerBreath: 1,
    /** New places inside the head itself: a small change then costs no segment for its catalog. */
    inlineBytesMax: 6 * KiB,
    /** A catalog page before padding and sealing: with them it fits a block. */
    pageBytesMax: 200 * KiB,
    /** Places looked up at once when a round begins. */
    lookupsAtOnce: 512,
    /** Pages a run's index may name: what one block holds. */
    runPagesMax: 1500,
    /** Peers of a node that has just started arrive within a second or two. */
    settleMs: 2_000,
    /** So much longer before a smaller class than one in use: two minutes of an outage. */
    settleFactor: 60,
    /** Members asked for the head that they prefer to ours: one honest answer is proof. */
    askedAheadMax: 4,
    /** Who waits to place segments anew: the step that follows policies, and the one for room. */
    movesQueueMax: 8,
    /** Groups an owner may have: seven classes, a few of each. */
    groupsMax: 64,
    /** Holders asked beyond k when a block is rebuilt: two stragglers cost nothing. */
    hedgeShards: 2,
    /** The least and most wait for one holder before it counts as late. */
    lateMsMin: 150,
    lateMsMax: 2_000,
    /** The same before others are asked too, without a word against it: bounded by the budget. */
    hedgeMsMin: 40,
    hedgeMsMax: 1_000,
    /** Whoever takes so many times as long as its quicker fellows is slow. */
    hedgeFactor: 3,
    /** What impatience may cost: a quarter of what was read besides, and a window at once. */
    hedgeShare: 0.25,
    hedgeBytesMax: 16 * MiB,
    /** Times kept of each holder and size of answer, how long they count, and of how many. */
    paceSamplesMax: 16,
    paceAgeMsMax: 60_000,
    pacePeersMax: 1024,
    /** How long a holder that failed is not asked first: doubles with each failure in a row. */
    doubtMsMin: 5_000,
    doubtMsMax: 10 * 60_000,
    /** How long a read of absent data may take before it is EIO. */
    readTimeoutMs: 20_000,
    /** The same while the user's own limit is what it waits for: its place, itself, the peers. */
    heldReadMsMax: 300_000,
    /** Between tries of a read that found too few holders, within that time. */
    readPausesMs: [250, 1_000, 2_500],
    /** How long a failure that itself took longer is the answer to others who want the block. */
    failureKeptMs: 1_000,
    /** How long one of many holders may take for a block's range before another is asked too. */
    rangePatienceMs: 300,
    /** The same for a whole shard: a MiB over an uplink of 4 Mbit/s. */
    shardPatienceMs: 2_000,
    /** Shards read ahead and kept for the next blocks of a sequential read: two of the widest. */
    aheadBytesMax: 42 * MiB,
    /** How much of a segment is read in a row before all of it is asked for. */
    aheadAfterShare: 0.25,
    /** How far apart two reads may be and still be in a row: they come a little out of order. */
    aheadGapBytes: MiB,
    /** Segments of which the last read is remembered. */
    aheadRunsMax: 64,
    /** Without a read, what was read ahead is let go. */
    aheadRestMs: 10_000,
    /** Pages of segment records asked from one holder while recovering: 10 million segments. */
    recordPagesMax: 100_000,
    /** Parsed segment records kept at hand: 3 KiB each at most. */
    recordsMax: 256,
    /** Changes of segments or groups that wait for their turn. */
    changesQueueMax: 4096,
    /** Holders told at once to drop what they have for nothing, and shards told to each. */
    dropsAtOnce: 8,
    dropsPerPeer: 64,
    /** A round of which the rest waits for peers takes up what was written since, so often. */
    stuckRoundMs: 15_000,
    /** Between two heads of roots that stand in for the newest: each costs a segment or two. */
    standInPauseMs: 60_000,
    /** Pages made for one of them: folders above what waits. With more of them it is put off. */
    standInPagesMax: 512,
    /** Places that a head names as held back; the others are counted. */
    standInToldMax: 16,
    /** Of such a place's path: a longer one is counted, too. */
    standInPathBytesMax: 128,
    /** Between two tries of a flush that waits for peers. */
    flushPauseMsMin: 50,
    flushPauseMsMax: 2_000,
  },
  recovery: {
    /** How long somebody is looked for who knows the drive ... */
    patienceMs: 30_000,
    /** ... and between two rounds of questions. */
    againMs: 1_000,
  },
  strangers: {
    /** Of one key: to and fro, a relayed way and a straight one. */
    connectionsPerPeerMax: 4,
    /** Of one /24 or /48: a quarter of all, so that four are needed to shut others out. */
    connectionsPerPrefixMax: 64,
    /** With so many open only partners and friends come in: a quarter of all is theirs. */
    connectionsMax: 192,
    /** Handshakes that one prefix may leave half done at once. */
    handshakesPerPrefixMax: 16,
    /** Streams of our protocol that one peer may have open, over all its connections. */
    streamsMax: 8,
    rates: {
      stranger: {
        /** He greets, asks for offers and looks for records: a few requests a minute. */
        requests: { perSecond: 20, burst: 200 },
        /** His first shards, before the vault knows that he may: two for each of its seats. */
        bytes: { perSecond: MiB, burst: 16 * MiB },
      },
      partner: {
        /** Ranges of 64 KiB at 64 MB/s; larger ones are fewer. */
        requests: { perSecond: 1_000, burst: 10_000 },
        /** A line of 2 Gbit/s. */
        bytes: { perSecond: 256 * MiB, burst: 1024 * MiB },
      },
    },
    /** What a refusal costs more than an answer: who guesses has fewer guesses. */
    refusalRequests: 4,
    /** A proof, for which a shard is hashed, or a greeting, with 17 signatures: a millisecond. */
    workRequests: 4,
    /** So many requests after the first Busy, it is no misunderstanding. */
    floodRequests: 1_000,
    /** What one peer may have us hold at once: two full lanes. */
    heldBytesMax: 18 * MiB,
    /** How many peers' worth one /24 or /48 may have of requests, bytes, streams and memory. */
    perPrefix: 4,
    /** How long a peer that the vault has served once is a partner. */
    partnerMs: 3_600_000,
    /** Peers and prefixes whose accounts are kept, 900 bytes each. */
    rememberedMax: 4096,
    /** Offers of one source that we have from hearsay only: eight answers. */
    hearsayPerSourceMax: 512,
    /** People whom one person has invited, or been invited by. */
    friendsMax: 1024,
    /** Entries of the book that came by one prefix and are not online. */
    entriesPerPrefixMax: 512,
  },
  peers: {
    /** A request's or answer's CBOR head: a segment record of 80 roots is 3 KiB. */
    headBytesMax: 64 * KiB,
    /** A request's or answer's payload: one full shard. */
    payloadBytesMax: MiB + 4 * KiB,
    /** Without news for this long, a call has failed. */
    callTimeoutMs: 15_000,
    /** All in all, news or not: eight full shards over an uplink of half a Mbit/s. */
    callTotalMs: 120_000,
    dialTimeoutMs: 5_000,
    /** Requests of one lane under way at one peer: hides 100 ms of round trip at 80 MB/s. */
    controlSeats: 32,
    bulkSeats: 8,
    /** Callers waiting for a seat: beyond it they are told Busy. */
    seatQueueMax: 4096,
    /** Ranges up to this size travel with the small requests, larger ones on the bulk lane. */
    controlBytesMax: 64 * KiB,
    /** A large payload is handed to the connection in slices: a small request passes between. */
    sliceBytes: 64 * KiB,
    /** Up to this size a payload is copied behind its head and sent in one piece. */
    leanBytesMax: 8 * KiB,
    /** Rooms for large payloads that are kept for the next ones, and for how long unused. */
    roomsMax: 16,
    roomsRestMs: 5_000,
    /** Streams that one connection may have open to our protocol: two lanes and a spare pair. */
    lanesMax: 4,
    /** All streams that one connection may open: the DHT takes one for each of its questions. */
    openings: { perSecond: 64, burst: 512 },
    /** Answers of 12 bytes, 150 in memory, that wait for a peer that takes nothing. */
    untakenMax: 1_024,
    /** Of one stream: a ping has 32, and somebody may go on for as long as it is open. */
    pingBytesMax: KiB,
    /** What one lane, and all together, may have us hold at once: requests and their answers. */
    laneHeldBytesMax: 9 * MiB,
    heldBytesMax: 128 * MiB,
    laneRequestsMax: 64,
    /** How long a request waits for its part of that, well before its asker gives up. */
    roomWaitMs: 5_000,
    /** Of one stream, under way or unread: a peer 100 ms away may send 20 MB/s. */
    windowBytesMax: 2 * MiB,
    /** Of all streams, beyond the 256 KiB that each has by yamux: 36 are as wide as can be. */
    growthBytesMax: 64 * MiB,
    connectionsMax: 256,
    /** Handshakes that are half done, of all: 16 prefixes' worth, a socket each. */
    pendingMax: 256,
    /** Links to peers: as many as there are connections, and as many again on their way. */
    linksMax: 512,
    /** With fewer, a node dials whom it hears of on its LAN or in the DHT. */
    neighboursWanted: 16,
    dialsMax: 16,
    /** From one address: a household behind one router, or a swarm on this machine. */
    connectsPerSecondMax: 64,
    /** A drive has a handful of devices; a peer acts for a handful of drives. */
    certificatesMax: 16,
    /** Offers kept: enough for placement to draw from, 2 KiB each. */
    offersMax: 4096,
    /** Offers in one answer. */
    offersSampleMax: 64,
    /** Peers asked for offers within the time in which an offer is renewed. */
    offerAsksMax: 16,
    /** That peers are still there is written so often: the disk of an idle machine may sleep. */
    bookEveryMs: 3_600_000,
    offerAddressesMax: 8,
    /** How old an offer may be before its peer counts as gone, and how far ahead its clock. */
    offerAgeMsMax: 14 * 24 * 3600_000,
    offerAheadMsMax: 10 * 60_000,
    offerRefreshMs: 10 * 60_000,
    /** A round trip is measured anew this often, at a few peers in a step. */
    pingEveryMs: 60_000,
    pingsPerStep: 4,
    dialsPerStep: 4,
    /** Segment records in one answer: 3 KiB each at most, so that a payload holds them. */
    segmentsSampleMax: 256,
    manifestsMax: 64,
    /** Between two tries to reach a lost peer: doubles from the first to the last. */
    redialMsMin: 2_000,
    redialMsMax: 30 * 60_000,
    /** What libp2p and the DHT remember of others, in entries and in bytes. */
    rememberedMax: 16_384,
    rememberedBytesMax: 32 * MiB,
    /** Of a peer: twice what sixteen addresses, some by relays, take with their signature. */
    rememberedEntryBytesMax: 8 * KiB,
    recordBytesMax: 64 * KiB,
    resolveTimeoutMs: 10_000,
    /** Other people's public blocks in Helia's own store. */
    publicBytesMax: 256 * MiB,
    publicBlockBytesMax: 2 * MiB,
    inviteCharsMax: 1024,
    /** An invite that nobody took up within a week has gone astray. */
    inviteMs: 7 * 24 * 3_600_000,
    /** Round trips of one measurement: the shortest of five has seldom waited in a queue. */
    rangeTrips: 5,
    /** Messages that one range stream may bring: a measurement, and a question. */
    rangeAsksMax: 8,
    /** Range streams of one peer in a minute: others measure us every few hours. */
    rangeStreamsPerMinuteMax: 12,
    /** From its first byte to its last. */
    rangeTimeoutMs: 15_000,
    /** Peers whose statements are asked for at once, and statements in one answer: 16 KiB. */
    rangeTargetsMax: 32,
  },
  places: {
    /** As many as there are offers: 300 bytes each. */
    sightingsMax: 4096,
    /** What one step writes of sightings and statements. */
    flushMax: 256,
    /** Statements of others that are kept: 600 bytes each, parsed; the oldest go first. */
    statementsMax: 4096,
    /** Of one peer: twice what a verdict needs. */
    statementsPerTargetMax: 24,
    /** A machine moves, and so do routes; measured again long before. */
    statementAgeMsMax: 7 * 24 * 3_600_000,
    rangeEveryMs: 6 * 3_600_000,
    /** Between two measurements of this node, of whomever: a few a minute. */
    rangePauseMs: 10_000,
    /** Between two questions to others, and to the same one. */
    askPauseMs: 10_000,
    askEveryMs: 15 * 60_000,
    /** A peer that could not be measured or asked is left alone for so long. */
    failureMs: 10 * 60_000,
    /** Light in fibre goes 200 km in a millisecond: so far away is who answers in one. */
    kmPerMs: 100,
    /** Table and clock are not exact to the kilometre. */
    slackKm: 50,
    /**
     * How far from the claimed country a round trip may leave a peer and still speak for it: less
     * than an ocean (3,000 km from Ireland to Newfoundland), and what 20 ms of two home lines take.
     */
    supportKm: 2_000,
    /** Voices for a country, from different households and prefixes: this node may be one. */
    voicesMin: 3,
    /** So large a share of all voices may lie: more than that must be against a country, ... */
    liarsShareMax: 1 / 3,
    /** ... and so many of the near ones be for it: a third of all is not a third of each corner. */
    supportShareMin: 1 / 2,
    /**
     * An address is a carrier's when so many households are behind it whose keys this node has
     * known for so long: in doubt, and until then, they are one.
     */
    carrierHouseholdsMin: 16,
    carrierAgeMs: 90 * 24 * 3_600_000,
    /** A peer that was not seen for longer says nothing about its address, and of no household. */
    carrierSeenMs: 14 * 24 * 3_600_000,
    /** Peers that the user vouches for: friends, not crowds. */
    vouchesMax: 1024,
    /** A line of a table of addresses, with the longest name of a network. */
    tableLineBytesMax: 512,
  },
} as const;
