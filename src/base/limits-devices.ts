/** Limits of one drive on several devices; see limits.ts. */
import { MiB } from "./bytes.ts";

export const deviceLimits = {
  devices: {
    /** 2^33: ten things made every second for 27 years. */
    marksPerDevice: 2 ** 33,
    /** 2^19 - 1, so that every mark is a key of a page; two of ten devices meet once in 11,000. */
    deviceMax: 2 ** 19 - 1,
    /** Of one drive, those that are gone too: all of them stand in the root record. */
    countMax: 32,
    /** Of a device's name: 32 of them leave the root record most of its room. */
    nameBytesMax: 32,
    /** Inodes that are changed while programs wait: some 50 ms, and far below a full journal. */
    mergedAtOnceMax: 4096,
    /** Of one record of the journal: with its last inode it stays below `tree.recordBytesMax`. */
    mergedBytesMax: MiB / 2,
    /** Portions of one merge: 2^27 files, more than any two devices will differ by. */
    mergePortionsMax: 16_384,
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
    /** Pages of others that are known to hold nothing new: 100 bytes each. */
    mergedPagesMax: 65_536,
  },
} as const;
