/** Limits of the tree: its files, pages, roots and past, and the work on them; see limits.ts. */
import { KiB, MiB } from "../bytes.ts";

export const treeLimits = {
  tree: {
    /** 256 KiB: small enough that a random write rewrites little, large enough for one request. */
    chunkBytes: 256 * KiB,
    /** Of a time, before 1970 and after: what a signed number of ours bears, 142 million years. */
    secondsMax: 2 ** 52 - 1,
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
    /** Bytes over parts of chunks that only peers have: a quarter of all unsealed ones, since only
     * peers make them fewer, and each commit writes them once more. */
    lackingBytesMax: 16 * MiB,
    /** Files that have such bytes, told by their paths: more would hide all else that is told. */
    lackingToldMax: 4,
    /** Peers that did not give what lies below are asked again: a few chunks a minute. */
    bringPauseMs: 60_000,
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
    /** What another device began, or two together left so, and nobody told of for so long: a slow
     *  line may take as long until a head names what is done. */
    resealForsakenMs: 60 * 60_000,
    /** Folders and files that are remembered for it; for more, all of the drive is looked at. */
    resealForsakenMax: 1_024,
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
    /** A root record goes to peers inside a head: names and extended attributes stay outside. A
     *  step of the ladder that holds the most of all that stands in it, and its sealing. */
    rootBytesMax: 6 * KiB + 256,
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
} as const;
