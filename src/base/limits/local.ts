/** Limits of the way between the kernel and this machine's disk; see limits.ts. */
import { GiB, KiB, MiB } from "../bytes.ts";

export const localLimits = {
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
    /** The index of one of LevelDB's tables, of 2 to 4 MiB, names blocks of 4 KiB: some 30 KiB. */
    tableIndexBytesMax: 1 * MiB,
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
    /** With less than this free a start has the reserve: each of a node's books begins a log and a
     *  list of tables, and turns its old log into a table. */
    diskStartBytes: 2 * MiB,
    /** With less than this free a clone to look at lies elsewhere: a whole journal and the index's
     *  log are copied into it, and that log turned into a table. */
    cloneBytes: 256 * MiB,
    /** What LevelDB's start takes besides its log: four files begun, and some room for each. */
    indexStartBytes: 64 * KiB,
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
    /** Notices of a kind under way, each on a thread: more files than programs work on at once. */
    noticesAtOnce: 16,
    /** Different failures that are counted apart in the log. */
    complaintsMax: 256,
    /** What fusermount3 may say before we stop listening. */
    complaintBytesMax: 4 * KiB,
  },
  unixfs: {
    /** kubo's own for CIDv1, as its links are: the same bytes get the CID that `ipfs add` gives. */
    chunkBytes: 256 * KiB,
    linksMax: 174,
    /** Names in one folder, 2 KiB of memory each while it is published. */
    namesMax: 2 ** 19,
    /** Folders in folders: more than anybody has, and less than a stack or a path takes. */
    depthMax: 128,
    /** Nodes above each other of one file or folder: kubo's tree of 2^62 bytes has seven. */
    layersMax: 32,
    /** Blocks of a CAR file that do not come again, 100 bytes of memory each. */
    rememberedBlocksMax: 2 ** 18,
    /** What IPFS's own exchange carries. */
    blockBytesMax: 2 * MiB,
    /** Blocks of a CAR file that is read, 150 bytes of memory each: 512 GiB in chunks. */
    blocksMax: 2 ** 21,
    /** What a CAR file holds may be so many times as large, as it has the same block once. */
    growthMax: 16,
    /** Or this, however small it is. */
    heldBytesMin: 64 * MiB,
    /** What each look at a block counts for at least: files without bytes are not for nothing. */
    lookBytes: 512,
  },
} as const;
