/** Limits of one drive on several devices; see limits.ts. */
import { GiB, MiB } from "../bytes.ts";

export const deviceLimits = {
  devices: {
    /** 2^33: ten things made every second for 27 years. */
    marksPerDevice: 2 ** 33,
    /** 2^19 - 1, so that every mark is a key of a page; two of ten devices meet once in 11,000. */
    deviceMax: 2 ** 19 - 1,
    /** Numbers of one device beside its first: it takes the next one when its store was lost. */
    storesLostMax: 8,
    /** Of one drive, those that are gone too: all of them stand in the root record. */
    countMax: 32,
    /** Of one drive, ever: each is an epoch, and a line of every roll. */
    removedMax: 64,
    /** A roll is asked for this often, of so many: who was away hears of it from any holder. */
    rollAskMs: 30_000,
    rollAskedMax: 3,
    /** Before those who have not taken it are told of it again. */
    rollTellMs: 30_000,
    /** Whoever shuts a device out waits so long for holders to know. */
    removeMs: 5_000,
    /** A vault keeps those of so many drives: 6 KiB each. */
    rollsMax: 1_024,
    /** Of a device's name: 32 of them leave the root record most of its room. */
    nameBytesMax: 32,
    /** Inodes that are changed while programs wait: some 50 ms, and far below a full journal. */
    mergedAtOnceMax: 4096,
    /** Of one record of the journal: with its last inode it stays below `tree.recordBytesMax`. */
    mergedBytesMax: MiB / 2,
    /** Portions of one merge: 2^27 files, more than any two devices will differ by. */
    mergePortionsMax: 16_384,
    /** Marks that a guest who begins anew leaves out at most: a 32nd of all that there are. */
    guestGapMax: 2 ** 28,
    /** Looks ahead that were in vain, since what they found had changed by then. */
    unreadyMax: 8,
    /** Two folders of one name are made one; each round is a level deeper. */
    mergeRoundsMax: 4096,
    /** Heads of other devices come by themselves from who is connected; members are asked this
     *  often while another device is known ... */
    askMs: 2_000,
    /** ... and this often while none is. */
    askAloneMs: 30_000,
    /** One of them may have been away when the head came. */
    askedMax: 2,
    /** Before a head whose blocks are not to be had is tried again. */
    retryMs: 5_000,
    /** Without news for so long a device is gone: what only it refers to is given back. */
    goneMs: 90 * 24 * 3600 * 1000,
    /** All ids begin with the same eight letters: of what tells one from another, four at least. */
    beginningCharsMin: 12,
    /** What a list shows of an id: enough to forget by, unless somebody searched for a twin. */
    shownChars: 16,
    /** A code to add a device by is read aloud, or carried to another room, in this time ... */
    codeMs: 10 * 60_000,
    /** ... and mistyped, or guessed, so often. */
    codeTriesMax: 3,
    /** Whoever shows the code may have come just now: it is looked for so long, ... */
    newcomerMs: 60_000,
    /** ... this often. */
    newcomerAskMs: 500,
    /** A device that has all it needs waits so long to hear that this is known. */
    byeMs: 5_000,
    /** While another device listens, a commit follows on a change after so long a silence: an
     *  editor that saves in three steps tells once ... */
    tellRestMs: 200,
    /** ... or after so long without one, as while an archive is unpacked. */
    tellRestMsMax: 1_000,
    /** What a program wrote into a large file that it keeps open, as databases do, is sealed for
     *  others no oftener: each time costs the whole chunk. */
    tellOpenMs: 5_000,
    /** Another device that is not connected is called this often: it may be in the same house. */
    callMs: 30_000,
    /** How long a device may take to answer: it only has to remember, or to read a block. */
    answerMs: 10_000,
    /** One that did not take what it was told rests: doubles from the first to the last. */
    deafMsMin: 2_000,
    deafMsMax: 5 * 60_000,
    /** A root that cannot be merged is tried so often; then its head has to bring it. */
    newsTriesMax: 8,
    newsRetryMs: 1_000,
    /** What a merge takes over that no peer has yet: more comes with the head. A second of a LAN,
     *  and no more than a store can spare. */
    lentBytesMax: 32 * MiB,
    lentBlocksMax: 4096,
    lentAtOnce: 8,
    /** What was lent is not sent to peers once more for so long: who made it is at it. */
    lentRestMs: 30_000,
    /** Blocks lent a moment ago that are remembered for that: a few merges' worth. */
    lentKnownMax: 16_384,
    /** Folders of others that are known to have the same in them as ours: 200 bytes each. */
    foldersAlikeMax: 65_536,
  },
  /**
   * What one state may bring of a folder that somebody else writes: see tree/merge/bounds.ts. It is
   * the same for all states of one right, whichever of its devices each is of.
   */
  writers: {
    /** On which one person writes by one right: each has a record and a number with the owner. */
    devicesMax: 8,
    /** Of a list of them, with those that went: 1.3 KiB. */
    rosterMax: 32,
    /** Between two looks for a newer list; each asks one holder. */
    rosterLookMs: 5_000,
    /** Names that are not there yet: two archives of a large program, and 200 MB of memory while
     *  they are laid beside what is there. */
    newNamesMax: 2 ** 17,
    /** Names of one hash in a folder: half of what it has room for, so that a guest who makes up
     *  such names keeps nobody else from giving one of his own. */
    namesOfHashMax: 8,
    /** Short files, targets and attributes that stand in those entries: a kilobyte for each. */
    newBytesMax: 128 * MiB,
    /** New folders within each other: eight times what programs come to. */
    newDepthMax: 256,
    /** What new and changed files hold: a day of a line of 25 Mbit/s, and four minutes of a core
     *  where they say one chunk again and again. */
    contentBytesMax: 256 * GiB,
    /** A file may hold so much more than it says, as a count that went wrong once is no attack. */
    contentSlackBytes: MiB,
    /** Of contents that come in in one turn; then others who write have theirs. */
    turnBytes: 32 * MiB,
    /** Of attributes: they are in memory all at once. */
    turnAttributeBytes: 8 * MiB,
  },
} as const;
