/**
 * Every limit in one place, each with its reason. A room reads its own section; nothing else in
 * the code is a bound.
 */
import { GiB, KiB, MiB } from "./bytes.ts";

export const limits = {
  tree: {
    /** 256 KiB: small enough that a random write rewrites little, large enough for one request. */
    chunkBytes: 256 * KiB,
    /** Files up to this size lie inside their directory's page: one fetch shows and reads them. */
    inlineBytesMax: 2 * KiB,
    /** A directory page: `ls -l` of most directories is one fetch. */
    pageBytesMax: 64 * KiB,
    /** Linux's own XATTR_SIZE_MAX. */
    xattrBytesMax: 64 * KiB,
    /** Linux's own PATH_MAX less its NUL. */
    symlinkBytesMax: 4095,
    /** Below 2^53 so that sizes are exact numbers; ext4 stops at 2^44. */
    fileBytesMax: 2 ** 52,
    linksMax: 65_000,
    /** All extended attributes of one file, sealed as one block when they do not fit its entry. */
    xattrTotalBytesMax: 192 * KiB,
    /** More than this leaves the entry: a directory's page is for names first. */
    xattrInsideBytesMax: 512,
    /** Chunk links that stay in the entry (2 MiB of file): a page of their own costs a fetch. */
    linksInsideMax: 8,
    /** Written data not yet sealed: what a fast writer fills in a quarter of a second. */
    dirtyBytesMax: 64 * MiB,
    /** fsync journals up to this much as it is; more is cheaper to seal than to write twice. */
    journaledBytesMax: 64 * KiB,
    /** Opened chunks kept: the kernel has its own page cache, these serve partial reads. */
    chunkCacheBytes: 32 * MiB,
    /** Opened pages kept: the names and attributes of about 300,000 files. */
    pageCacheBytes: 64 * MiB,
    /** A change is at most this old when it is committed; so is what a crash replays. */
    commitAfterMs: 5_000,
    /** Journal that calls for a commit: its replay takes under a second. */
    commitAfterBytes: 8 * MiB,
    commitAfterRecords: 20_000,
    /** Journal at which operations wait for the commit: its changes are held in memory. */
    journalRecordsMax: 200_000,
    journalBytesMax: 128 * MiB,
    /** Work on the main thread between two looks at the kernel. */
    sliceMs: 4,
    /** One journal record: far below what a sealing takes, and little to lose to a torn one. */
    recordBytesMax: MiB,
    /** Syncs that a commit spends on being sure that no block came meanwhile. */
    settleRoundsMax: 16,
    /** Fetches that one operation may need; more means that pages are evicted as they come. */
    fetchesMax: 10_000,
    /** One answer of copy_file_range; programs call again. */
    copyBytesMax: 16 * MiB,
  },
  dag: {
    /** A chunk and its sealing; also the largest block any peer may send. */
    blockBytesMax: 256 * KiB + 256,
    /** Of a tree of pages: a page has at least 300 children, so 6 levels pass 2^48 items. */
    levelsMax: 8,
    /** A root record goes to peers inside a head: names and extended attributes stay outside. */
    rootBytesMax: 4 * KiB,
  },
  cache: {
    /** What a laptop does not miss; `hive cache --limit` changes it. */
    limitBytes: 4 * GiB,
    /** Of the limit: the rest stays for reads while uploads lag behind. */
    dirtyShareMax: 0.75,
    /** How long a write waits for room before ENOSPC. */
    fullWaitMs: 30_000,
    /** Blocks up to this size are directory pages, and may use the reserve. */
    smallBlockBytesMax: 72 * KiB,
    /** Of the dirty limit, on top of it: a full drive can still make the commit that drains it. */
    reserveShare: 1 / 16,
    /** Writers that wait for room, each holding one block: 64 MiB in all. */
    waitersMax: 256,
    /** A block file: 64 to a cache, so that giving one back is a small step ... */
    blockFileShare: 1 / 64,
    /** ... but large enough that a write is seldom cut in two, ... */
    blockFileBytesMin: MiB,
    /** ... and small enough that emptying one never needs much space besides. */
    blockFileBytesMax: GiB,
    /** A block or a sealed root record, in one frame. */
    frameBytesMax: 512 * KiB,
    /** What is read of a block file at once to rebuild the index: many frames. */
    scanBytesMax: 4 * MiB,
    /** Blocks in memory that are not written yet: more than any disk needs to be busy. */
    pendingBytesMax: 32 * MiB,
    /** One write to a block file: large writes cost no more a byte from here on. */
    writeBytesMax: 4 * MiB,
    /** Frames in one write, two pieces each: half of Linux's IOV_MAX. */
    writeFramesMax: 256,
    /** Changes in one batch to LevelDB: about a millisecond of the main thread. */
    batchChangesMax: 512,
    /** One journal record: a full write request and its framing. */
    recordBytesMax: 2 * MiB,
    /** Journal records in memory before a group commit begins by itself. */
    journalPendingBytesMax: 8 * MiB,
    /** What one step of cleaning copies: some ten milliseconds of the disk. */
    stepBytesMax: 4 * MiB,
    /** A file with at least this share of dead bytes is compacted even when there is room. */
    deadShareMax: 0.5,
    /** A file gives back at least this share, or emptying it is not worth the copying. */
    victimShareMin: 1 / 8,
    /** A key of `KeyValue`. */
    keyBytesMax: 256,
    /** A value of `KeyValue`: a segment record or a receipt list, never bulk data. */
    valueBytesMax: MiB,
  },
  bridge: {
    /** Between a fault of the network's thread and its next start: no busy loop, no long gap. */
    restartMs: 2000,
  },
  crypt: {
    /** A month: a device that was stolen and stays offline is shut out by then. */
    certificateMs: 31 * 24 * 3600 * 1000,
    /** Far above any block, page or journal record: a wrong length costs a message, no memory. */
    sealedBytesMax: 4 * MiB,
    /** 24 words of at most 8 letters, with generous white space between. */
    wordsTextMax: 1024,
    /** A passphrase: more is a mistake, such as a whole file on stdin. */
    passphraseBytesMax: 1024,
    /** Argon2id as written: 0.15 s on a laptop for the owner, 64 MiB per guess for a thief. */
    argonMemoryKiB: 64 * KiB,
    argonPasses: 3,
    /** As read: a key file made elsewhere may ask for more, but not for the machine's life. */
    argonMemoryKiBMax: 1024 * KiB,
    argonPassesMax: 32,
    argonLanesMax: 8,
    /** Two seeds, a salt and their framing are under 300 bytes. */
    keyFileBytesMax: 4 * KiB,
  },
  records: {
    /** A head with the largest payload; a segment record of 80 roots is 3 KiB. */
    recordBytesMax: 24 * KiB,
    /** A head's sealed payload: roots of a few devices and the catalogue's place. */
    headSealedBytesMax: 16 * KiB,
    /** A household or a device: what fits on a line. */
    nameBytesMax: 64,
    /** One machine's interfaces and relays. */
    addressesMax: 16,
    addressBytesMax: 256,
    /** Beyond this JavaScript has no date (ECMA-262, 21.4.1.1). */
    timeMsMax: 8.64e15,
    /** 80 members: the widest class of records.ts. */
    membersMax: 80,
  },
  segment: {
    /** The ladder of shard sizes: four sealed chunks and their CAR framing fill the last. */
    shardBytes: [64 * KiB, 260 * KiB, MiB + 4 * KiB],
    /** A Merkle leaf: one disk page, one small answer. */
    leafBytes: 4 * KiB,
  },
  erasure: {
    /** The elements of GF(2^8): each shard needs one of its own. */
    shardsMax: 256,
    /** Sets of survivors a coder remembers: of 20 shards 100 KiB, at the very worst 16 MiB. */
    inversesMax: 256,
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
  },
  vault: {
    /** Owners whose totals lie in memory, 200 bytes each. */
    ownersMax: 4096,
    /** 4 TiB of full shards: as many files as one directory tree bears without complaint. */
    shardsMax: 4 * 1024 * 1024,
    /** Groups of one owner: what one answer of `records` can carry. */
    groupsPerOwnerMax: 64,
    /** Segments that may name the very same shard; more is somebody's game. */
    placesPerShardMax: 16,
    /** Segment records in one answer, 3 KiB each at most. */
    segmentsPerAnswerMax: 256,
    /** Shards that are being written at once, a full one each in memory; the rest wait. */
    storesMax: 8,
    storeQueueMax: 128,
    /** Manifests that stay parsed: reads and proofs check the asker against one. */
    manifestsParsedMax: 256,
    /** A step of the scrub: about 20 ms of hashing. */
    scrubShardsPerStep: 8,
    /** Every shard is read and hashed this often, as disks' own patrols do. */
    scrubEveryMs: 14 * 24 * 3_600_000,
    /** How long a released segment is refused, should somebody replay its store request. */
    releasedAgeMsMax: 90 * 24 * 3_600_000,
    /** A member that was replaced keeps its shards so long: the group may still draw on them. */
    strayGraceMs: 7 * 24 * 3_600_000,
  },
  proofs: {
    /** 1 - 0.9^46 = 0.992: the chance to see that a tenth of what a holder keeps is missing. */
    samples: 46,
    /** Leaves asked of one shard at once: the answer stays under 300 KiB. */
    leavesMax: 64,
    /** Nobody answers a challenge from memory: 2^128 of them would have to be foreseen. */
    nonceBytes: 16,
    /** The deepest path: 2^20 leaves are a shard of 4 GiB, far above the ladder. */
    pathHashesMax: 20,
    /** Observations of one peer that are remembered: two months of one a day. */
    historyMax: 64,
    /** Longer than an office machine is off from Friday evening to Monday morning (63 hours). */
    deadAfterMs: 72 * 3_600_000,
  },
  transfer: {
    /** Gaps whose filler's CID is remembered: hashing a whole shard of zeros takes 0.6 ms. */
    zeroCidsMax: 64,
    /** Segments coded or on their way at once: of the largest class 80 MiB each. */
    segmentsInFlightMax: 2,
    /** Shards on their way at once: enough to fill an uplink at 100 ms, few for a small router. */
    sendsMax: 16,
    /** Segments one upload step starts, so that a step stays bounded. */
    segmentsPerStepMax: 8,
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
    /** Groups an owner may have: seven classes, a few of each. */
    groupsMax: 64,
    /** Holders asked beyond k when a block is rebuilt: two stragglers cost nothing. */
    hedgeShards: 2,
    /** The least and most wait for one holder before the others are asked too. */
    hedgeMsMin: 150,
    hedgeMsMax: 2_000,
    /** How long a holder that failed is not asked first: doubles with each failure in a row. */
    doubtMsMin: 5_000,
    doubtMsMax: 10 * 60_000,
    /** How long a read of absent data may take before it is EIO. */
    readTimeoutMs: 20_000,
    /** How long one of many holders may take for a block's range before another is asked too. */
    rangePatienceMs: 300,
    /** The same for a whole shard: a MiB over an uplink of 4 Mbit/s. */
    shardPatienceMs: 2_000,
    /** Shards read ahead and kept for the next blocks of a sequential read. */
    aheadShardsMax: 24,
    /** Reads of one shard in a row before the rest of it is asked for. */
    aheadAfterReads: 2,
    /** Pages of segment records asked from one holder while recovering: 10 million segments. */
    recordPagesMax: 100_000,
    /** Parsed segment records kept at hand: 3 KiB each at most. */
    recordsMax: 256,
    /** Changes of segments or groups that wait for their turn. */
    changesQueueMax: 4096,
    /** Between two tries of a flush that waits for peers. */
    flushPauseMsMin: 50,
    flushPauseMsMax: 2_000,
  },
  mount: {
    /** The kernel's largest request: 256 pages. Fewer, larger requests cost fewer wake-ups. */
    transferBytesMax: MiB,
    /** A page of directory entries: `ls -l` of 700 files in one answer. */
    directoryBytesMax: 128 * KiB,
    /** Requests answered before the loop serves anybody else: a few milliseconds. */
    requestsPerWakeMax: 32,
    /** Asking again for this long is cheaper than a sleep and a wake-up of 20 to 25 us each. */
    patienceUs: 100,
    /** With read-ahead off the network in mind: four chunks. The kernel's own is 128 KiB. */
    readAheadKiB: 1024,
    /** Share of the kernel's dirty pages that may be ours; its own 1 % throttles writers. */
    dirtyPercent: 25,
    /** Read-ahead and write-back requests that the kernel keeps under way. */
    backgroundMax: 32,
    /** Requests whose bytes wait for the tree, 1 MiB each: the background ones and as many more. */
    buffersMax: 64,
    /** Only we change the tree, and we tell the kernel: a year is as good as for ever. */
    validSeconds: 365 * 24 * 3600,
    /** From mount(2) to the kernel's first request. */
    readyMs: 10_000,
    /** How long a look at a perhaps dead mount may take. */
    probeMs: 5_000,
    /** Directories of which we remember whether they have a default access list. */
    defaultListsMax: 4096,
    /** Open files of the fuse-native driver: what Linux gives one process by default, and more. */
    descriptorsMax: 65_536,
    /** How soon the fuse-native driver sees that somebody else unmounted it. */
    watchMs: 250,
    /** Different failures that are counted apart in the log. */
    complaintsMax: 256,
    /** What fusermount3 may say before we stop listening. */
    complaintBytesMax: 4 * KiB,
  },
  agent: {
    /** Between two steps that found nothing to do: doubles from the first to the last. */
    pauseMsMin: 200,
    pauseMsMax: 5_000,
    /** After a step that failed: doubles from the first to the last. */
    failureMsMin: 1_000,
    failureMsMax: 5 * 60_000,
    /** Segments of which all holders are asked in one audit step. */
    segmentsPerAudit: 4,
    /** Leaves asked of one shard: small answers, often. */
    leavesPerShard: 4,
    /** How long a holder may take beyond some of its own round trips. */
    answerMsMin: 3_000,
    /** Wrong answers remembered of a peer that cost it its seats: one may be a broken disk. */
    wrongsMax: 2,
    /** Shards brought home in one repair step. */
    mendsPerStep: 32,
    /** Shards brought home at once. */
    mendsAtOnce: 4,
    /** How long a member that could not be given a shard is left alone: doubles each time. */
    restMsMin: 30_000,
    restMsMax: 3_600_000,
    /** Members replaced in one repair step. */
    replacementsPerStep: 16,
    /** Reads and uploads tell of a peer at most this often; audits always. */
    observationMsMin: 60_000,
    /** Between two rounds of sending head and manifests to members that were away. */
    republishMs: 3_600_000,
    /** Bad holders named in one report. */
    badMax: 1_000,
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
    /** Streams that one connection may have open to our protocol: two lanes and a spare pair. */
    lanesMax: 4,
    /** What one lane, and all together, may have us hold at once: requests and their answers. */
    laneHeldBytesMax: 9 * MiB,
    heldBytesMax: 128 * MiB,
    laneRequestsMax: 64,
    /** Unread bytes of one stream: yamux may send as much before it must wait. */
    windowBytesMax: 2 * MiB,
    connectionsMax: 256,
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
    recordBytesMax: 64 * KiB,
    resolveTimeoutMs: 10_000,
    /** Other people's public blocks in Helia's own store. */
    publicBytesMax: 256 * MiB,
    publicBlockBytesMax: 2 * MiB,
    inviteCharsMax: 1024,
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
