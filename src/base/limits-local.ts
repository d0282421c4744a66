/** Limits of the way between the kernel and this machine's disk; see limits.ts. */
import { GiB, KiB, MiB } from "./bytes.ts";

export const localLimits = {
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
    /** fsync journals up to this much as it is; more is cheaper to seal than to write twice ... */
    journaledBytesMax: 64 * KiB,
    /** ... unless it is scattered: then up to this share of the chunks that it lies in ... */
    journaledShareMax: 1 / 4,
    /** ... and this much: a journal's whole room is four times that. */
    journaledScatteredBytesMax: 32 * MiB,
    /** A chunk of which no more than that share changed stays in the journal for so long, since a
     * database writes it again ... */
    sealAfterMs: 30_000,
    /** ... while all unsealed bytes are no more than this: each commit writes them once more. */
    restingBytesMax: 24 * MiB,
    /** Pieces of one unsealed chunk: twice its pages, which is all that the kernel writes. */
    extentsMax: 128,
    /** Chunks sealed in one call: as many as gain by it, and a millisecond of a thread. */
    sealedAtOnce: 4,
    /** Less than this is sealed at once: a thread there and back takes as long. */
    sealedInPlaceBytesMax: 64 * KiB,
    /** Times that a commit seals what was written while it sealed, to find a moment in which all of
     * a file is; then the rest goes into the journal if it is little. */
    momentRoundsMax: 4,
    /** Calls that seal for one commit or fsync at a time: threads beyond it gain nothing. */
    sealingLanes: 2,
    /** Opened chunks kept: the kernel has its own page cache, these serve partial reads. */
    chunkCacheBytes: 32 * MiB,
    /** Tags of leaves, 1 KiB for a chunk: of 2 GiB that were read or written last, small reads take
     *  no more from the disk than they ask for. */
    leafTagsBytes: 8 * MiB,
    /** Opened leaves that wait for those who asked for them: as many as the kernel asks at once. */
    openedPartsBytes: 4 * MiB,
    /** Up to this share of a chunk is read by itself: the kernel asks for more where it expects the
     *  rest to be read, and of a small file it would save nothing. */
    partShareMax: 1 / 8,
    /** Opened pages kept: names and attributes of a million files. Names lie in the order of their
     * hashes, so in a larger directory most that are made or looked up cost the read of a page. */
    pageCacheBytes: 192 * MiB,
    /** A change is at most this old when it is committed; so is what a crash replays. */
    commitAfterMs: 5_000,
    /** Journal that calls for a commit: its replay takes under a second. */
    commitAfterBytes: 48 * MiB,
    commitAfterRecords: 20_000,
    /** Between two commits while the store fills faster than it goes up. */
    commitPauseMs: 500,
    /** A commit rests for this many times as long as the last one took, changes being few. */
    commitRestFactor: 3,
    /** Journal at which operations wait for the commit: its changes are held in memory. */
    journalRecordsMax: 200_000,
    journalBytesMax: 128 * MiB,
    /** Work on the main thread between two looks at the kernel. */
    sliceMs: 4,
    /** Small journal records sealed as one: a hundred operations, in the time that one takes. */
    sealedTogetherBytesMax: 16 * KiB,
    /** One journal record: far below what a sealing takes, and little to lose to a torn one. */
    recordBytesMax: MiB,
    /** Of the room for what no peer has: from here on garbage is looked for ... */
    garbageShare: 0.75,
    /** ... and not again before this, and this many times as long as it took. */
    garbagePauseMsMin: 1_000,
    garbagePauseFactor: 10,
    /** Syncs that a commit spends on being sure that no block came meanwhile. */
    settleRoundsMax: 16,
    /** Names looked at in one step of giving new secrets to all below a folder. */
    renewedNamesPerStep: 256,
    /** Of one step of sealing anew what goes by another policy: names looked at, and bytes ... */
    resealedNamesPerStep: 256,
    resealedBytesPerStep: 4 * MiB,
    /** ... unless the store is fuller than this of what no peer has: writers go first. */
    resealShareMax: 0.85,
    /** Before another look at files that could not be read. */
    resealPauseMs: 5 * 60_000,
    /** Fetches that one operation may need; more means that pages are evicted as they come. */
    fetchesMax: 10_000,
    /** One answer of copy_file_range; programs call again. */
    copyBytesMax: 16 * MiB,
    /** Of a check: a bit for each of 2^33 inode numbers, in 1 GiB at most. */
    checkedSegmentsMax: 8192,
    /** 16 GiB of a file that one lost page of links may stand for, given up chunk by chunk. */
    givenUpChunksMax: 65_536,
    /** Lost ranges of one file that are told one by one. */
    rangesToldMax: 8,
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
    /** More than any disk: a check evicts nothing. */
    limitBytesMax: 2 ** 50,
    /** Of the limit: the rest stays for reads while uploads lag behind. */
    dirtyShareMax: 0.75,
    /** What was written goes up after so long a silence: a build or an unpacking is over then, and
     *  what it made and removed again is gone ... */
    uploadRestMs: 2_000,
    /** ... or after so long without one: a lost disk costs seconds of work, not hours of it ... */
    uploadRestMsMax: 15_000,
    /** ... or from this share of the room for dirty blocks on, so that writers need not wait. */
    uploadRestShareMax: 1 / 4,
    /** How long writes wait with nobody let in before ENOSPC. */
    fullWaitMs: 30_000,
    /** A timer that comes so late was not waited for by a process that ran. */
    standstillMs: 3_000,
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
    /** Four of those: one is written, one is read, and two are left to choose from. */
    limitBytesMin: 4 * MiB,
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
    /** Written bytes at which the disk is set to work, though nobody syncs: what it takes in some
     * ten milliseconds. */
    flushEarlyBytes: 16 * MiB,
    /** Frames in one write, two pieces each: half of Linux's IOV_MAX. */
    writeFramesMax: 256,
    /** Changes in one batch to LevelDB: about a millisecond of the main thread. So many blocks, at
     *  most 128 MiB, are what a start after a crash looks through. */
    batchChangesMax: 512,
    /** One journal record: a full write request and its framing. */
    recordBytesMax: 2 * MiB,
    /** A journal file: a second of syncs at full speed, and a sixteenth of what a commit waits
     *  for at most. Made of zeros once and then written over: 30 ms of the disk. */
    journalFileBytesMax: 16 * MiB,
    /** The first one, made while somebody waits, and all of a small cache. */
    journalFileBytesMin: MiB,
    /** Of the cache's limit, which a small disk makes smaller. */
    journalFileShare: 1 / 64,
    /** Files kept for the next records: one more than is needed while another one is made. */
    journalSparesMax: 2,
    /** Between two looks whether the directory is still there, under a stream of syncs. */
    placeCheckMs: 1_000,
    /** Journal records in memory before a group commit begins by itself. */
    journalPendingBytesMax: 8 * MiB,
    /** What one step of cleaning copies: some ten milliseconds of the disk. */
    stepBytesMax: 4 * MiB,
    /** A file with at least this share of dead bytes is compacted even when there is room. */
    deadShareMax: 0.5,
    /** A file gives back at least this share, or emptying it is not worth the copying. */
    victimShareMin: 1 / 8,
    /** Of the disk: stays free of blocks, for the index, the journal and a commit's pages ... */
    diskMarginBytes: 16 * MiB,
    /** ... and so much lies in a file that is given up when others have filled the disk: LevelDB's
     *  start turns its log, of 4 MiB at most, into a table. */
    diskReserveBytes: 8 * MiB,
    /** Of a small disk no more than this each. */
    diskShare: 1 / 16,
    /** Bytes given to the disk between two looks at how full it is. */
    diskLookBytes: 4 * MiB,
    /** What memory holds for a disk that takes nothing, before changes are refused. */
    hinderedBytesMax: 16 * MiB,
    /** A key of `KeyValue`. */
    keyBytesMax: 256,
    /** A value of `KeyValue`: a segment record or a receipt list, never bulk data. */
    valueBytesMax: MiB,
  },
  pins: {
    /** A person's choice of folders; each is a walk of its own. */
    countMax: 1024,
    /** Folders in each other: far deeper than any path that a program can name. */
    depthMax: 4096,
    /** Of the local store: what is written and read besides needs the rest. */
    shareMax: 0.75,
    /** Blocks looked at before the loop serves anybody else: some milliseconds. */
    judgedPerTurn: 4096,
    /** Between two walks over what is pinned, while the drive changes: each begins with a commit of
     * all, and what is written meanwhile is held back anyway ... */
    judgePauseMsMin: 30_000,
    /** ... and this many times as long as one takes. */
    judgePauseFactor: 10,
    /** Blocks fetched at once, 4 MiB: enough to keep several holders busy. */
    broughtAtOnce: 16,
    /** Before what could not be fetched, or has no room, is tried again. */
    retryMs: 30_000,
  },
  watch: {
    /** Folders that one machine backs up; each is a walk and a set of watches of its own. */
    countMax: 64,
    /** One read and write of a copy: one request of the kernel to the mount. */
    copyBytes: MiB,
    /** Files copied at once: small ones wait for the mount and for the disk by turns. */
    copiesAtOnce: 4,
    /** Names of a folder that are read at once. */
    entriesAtOnce: 256,
    /** A file that changes all the time, as a log does, is taken as it is the third time. */
    changedTriesMax: 3,
    /** One file of rules: git's own largest are some ten KiB. */
    ruleBytesMax: MiB,
    /** Folders left out of which it is remembered that nobody has to watch them. */
    ignoredFoldersMax: 100_000,
    /** Names in one folder, and folders, that are looked at one by one: beyond it, all of it is. */
    namesMax: 256,
    foldersMax: 4096,
    /** A look comes after so long without a change: programs save in several steps ... */
    restMs: 500,
    /** ... but not much later, though changes go on. */
    restMsMax: 5_000,
    /** All is looked at again, whatever was heard: notices may be lost. */
    againMs: 3600_000,
    /** Before what stood in the way is tried again. */
    retryMs: 10_000,
    /** Between two words of the process that copies to the daemon. */
    tellMs: 500,
    /** How long it may take to end, between two requests to the mount, before it is ended. */
    endMs: 5_000,
    /** Before one that ended by itself is started again. */
    restartMs: 5_000,
  },
  mount: {
    /** The kernel's largest request: 256 pages. Fewer, larger requests cost fewer wake-ups. */
    transferBytesMax: MiB,
    /** A page of directory entries: `ls -l` of 700 files in one answer. */
    directoryBytesMax: 128 * KiB,
    /** Of the first page, while the kernel knows many files and its programs look at few: items
     *  that come with attributes. */
    firstAttributesMax: 16,
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
    /** Files that the kernel may keep and the tree with it, at 1 KiB each: a large checkout. */
    filesKnownMax: 100_000,
    /** Of those beyond it, asked for in one notice: under a millisecond of the kernel. */
    prunedMax: 512,
    /** Different failures that are counted apart in the log. */
    complaintsMax: 256,
    /** What fusermount3 may say before we stop listening. */
    complaintBytesMax: 4 * KiB,
  },
  eras: {
    /** One ends with each revocation. */
    erasMax: 2 ** 32 - 1,
    /** Folders that are being sealed anew at a time; with more of them the whole drive is. */
    owedMax: 64,
    /** Walks after which a folder counts as sealed anew, though names in it moved about. */
    walksMax: 16,
  },
  snapshots: {
    /** Roots kept: with the default rule there are 167, each a few hundred bytes of one block. */
    countMax: 400,
    /** Pages remembered as made since the newest kept root, to be discarded at once: 16 MiB. */
    youngMax: 2 ** 16,
    /** Links in one record of the journal, as a restored file's are told: 64 MiB of file. */
    linksAtOnce: 256,
    /** Files that may be lost at once in any drive: a folder of photos, or a source tree. */
    lossesMin: 500,
    /** How long a folder's `.trash` looks back, and names that it shows. */
    trashMs: 30 * 86_400_000,
    trashNamesMax: 10_000,
    /** In a store full of what no peer has, snapshots made in the last hour give way. */
    yieldingMs: 3_600_000,
    /** Differences told in one answer; who wants more asks for a folder. */
    differencesMax: 10_000,
  },
  graft: {
    /** Inode and handle numbers from here on are of grafted trees; the drive's own lie below. */
    firstNumber: 2 ** 52,
    /** Each tree's share of the numbers below 2^53: a file a second for 17,000 years, twice. The
     * last digits keep files of several trees apart where a driver shows 32 bits of a number. */
    span: 2 ** 40 + 5_368_104,
    /** Trees open at a time, the directories that hold them among them. */
    openMax: 2 ** 11,
  },
  swarm: {
    /** Above what services have and below what kernels give to outgoing connections (Linux: from
     * 32,768 on), which would take a peer's port before it listens there, or while it rests. */
    ports: { first: 10_000, count: 22_000, triesMax: 100 },
  },
  drive: {
    /** How long a start without a local store asks for what peers have: they are dialled first. */
    bringBackMs: 20_000,
    bringBackPauseMs: 500,
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
    /** A program's read waits no longer for its turn, however low the limit: twice, for its place
     *  and for itself, it fits into `transfer.readTimeoutMs`, after which it would have failed. */
    ownerWaitMsMax: 8_000,
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
