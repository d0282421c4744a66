/** Limits of what is sealed, signed, coded, proven and kept for others; see limits.ts. */
import { KiB, MiB } from "../bytes.ts";

export const keptLimits = {
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
    /** Two seeds, a salt and their framing are under 300 bytes; an added device's under 700. */
    keyFileBytesMax: 4 * KiB,
  },
  records: {
    /** A head with the largest payload; a segment record of 80 roots is 3 KiB. */
    recordBytesMax: 24 * KiB,
    /** Numbers, strings, lists and maps of one message: 64 KiB of leaves to prove are 300. */
    valuesMax: 1024,
    /** A head's sealed payload: roots of a few devices and the catalogue's place. */
    headSealedBytesMax: 16 * KiB,
    /** A household or a device: what fits on a line. */
    nameBytesMax: 64,
    /** Of Hive, as peers tell theirs: room for a date or a hash behind the numbers. */
    versionBytesMax: 32,
    /** One machine's interfaces and relays. */
    addressesMax: 16,
    addressBytesMax: 256,
    /** Beyond this JavaScript has no date (ECMA-262, 21.4.1.1). */
    timeMsMax: 8.64e15,
    /** Offers that are known again without a check: 1 KiB each, and all of a small network. */
    offersKnownMax: 1024,
    /** Likewise: 10 groups each of 25 owners, 12 KiB; devices that sign; public keys, 2 KiB. */
    manifestsKnownMax: 256,
    certificatesKnownMax: 256,
    keysKnownMax: 1024,
    /** Of a manifest that a device signed: should it be shut out, its owner goes on from there. */
    deviceEpochMax: 2 ** 40,
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
  proofs: {
    /** 1 - 0.9^46 = 0.992: the chance to see that a tenth of what a holder keeps is missing. */
    samples: 46,
    /** What all audits together may cost a holder, for so much that it keeps: 0.17 GB a day, ... */
    auditBytesPerSecond: 2_000,
    auditHeldBytes: 500e9,
    /** ... where the interval of audits is this one. */
    auditWindowMs: 3_600_000,
    /** A holder of little of a drive, among much, is asked so often all the same: eight a day. */
    auditRestMsMax: 3 * 3_600_000,
    /** Leaves asked of one shard at once: the answer stays under 300 KiB. */
    leavesMax: 64,
    /** Nobody answers a challenge from memory: 2^128 of them would have to be foreseen. */
    nonceBytes: 16,
    /** Leaves of a race: far more round trips than anybody waits for, and 3 ms of hashing. */
    raceHops: 512,
    /** The deepest path: 2^20 leaves are a shard of 4 GiB, far above the ladder. */
    pathHashesMax: 20,
    /** Observations of one peer that are remembered: two months of one a day. */
    historyMax: 64,
    /** So many answers too late with none in time between, this far apart: three days and more. */
    latesMax: 5,
    lateEveryMs: 18 * 3_600_000,
    /** Whoever has lost its seats by that is asked no more, and may begin anew in a month. */
    lateForgetMs: 30 * 24 * 3_600_000,
    /** Absences of one peer that tell what is usual with it: a month of nights. */
    absencesMax: 32,
    /** A shorter absence is a question that got lost. */
    absenceMsMin: 60_000,
    /** From this probability on a silent peer is rebuilt: one of five such may still return. */
    deadFrom: 0.8,
    /**
     * No silence is a death sooner: a night, a power cut, a line that somebody has to come and
     * mend. An hour more, and what is in danger when many died is not safe again in half a day.
     */
    silenceMsMin: 10.5 * 3_600_000,
    /**
     * Until then a death is fresh: whoever is away for a day, and comes back after the night, costs
     * nothing where enough others are left. A class that waits for losses has the time.
     */
    freshMs: 36 * 3_600_000,
    /** A peer that was silent for two weeks of holidays is dead, whatever it used to do. */
    deadAfterMs: 14 * 24 * 3_600_000,
    /** So many of one domain, ... */
    cohortMin: 3,
    /** ... and so large a share of those of it that are known, ... */
    cohortShare: 1 / 2,
    /** ... that fell silent within so long of each other, are a cohort, ... */
    cohortWindowMs: 3_600_000,
    /** ... and are waited for: what cuts off a network or a country is mended in two weeks. */
    cohortFreezeMs: 14 * 24 * 3_600_000,
  },
  guard: {
    /** Voters without whom no seat is given away, however small the group. */
    quorumMin: 3,
    /** Entries of one manifest's log: four fifths of the widest group; then the owner must come. */
    entriesMax: 64,
    /** Entries that are known again without a check: four full logs, 16 KiB each at the widest. */
    entriesKnownMax: 256,
    /** A leader's turn: two rounds of questions, one of which may find some members silent. */
    leaseMs: 60_000,
    /** Of a swarm that is played quickly. */
    leaseMsMin: 10_000,
    /** So many leaders had their turn, and gave no seat away: what can be mended is, without it. */
    settleLeases: 2,
    /** ... and giving goes on for so many behind the last seat: some are drawn to lead and dead. */
    givingLeases: 10,
    /** How many terms a member's clock may be away from a leader's. */
    termsApart: 1,
    /** Offers that one voter adds to the draw: it takes the less full of two. */
    offersPerVoter: 4,
    /** All that one draw looks at: some of each voter's, and those of the members. */
    offersMax: 256,
    /** Seats given away in one step. */
    entriesPerStep: 16,
    /** Groups whose logs are asked for, and members asked, in one step. */
    groupsPerStep: 4,
    /** Segments of which all seats are asked in one step, and the fellows asked for a sign. */
    segmentsPerStep: 4,
    fellowsPerStep: 16,
    /** Segment records looked at in one step: a tenth of a second of signatures. */
    recordsPerStep: 512,
    /** Between two looks at which groups this node is in, and so much more for each of them. */
    lookEveryMs: 30_000,
    lookPerGroupMs: 100,
    /** Words of groups that are not known here, or from who is not in them, in a minute. */
    strangers: { perPeerMax: 10, perPrefixMax: 10, perMinuteMax: 30 },
    /**
     * All that has to be checked, in entries of logs, in a minute: one takes 5 ms at the widest, so
     * that one peer can have a twelfth of a processor, and all together a sixth.
     */
    checks: { perPeerMax: 1_024, perPrefixMax: 1_024, perMinuteMax: 2_048 },
    /** A proposal brings as many pledges as an entry has votes, and offers besides. */
    proposalChecks: 4,
    /** Fellows' questions that wait for their turn. */
    callQueueMax: 256,
  },
  /** Giving up seats while one is still there to be copied from. */
  leave: {
    /** A notice is told again so often ... */
    noticeEveryMs: 30_000,
    /** ... and holds so long: several may be lost on their way. */
    noticeHoldsMs: 150_000,
    /** Peers whose notices are remembered, 100 bytes each and more with named groups. */
    noticesMax: 4096,
    /** In a minute: each is told twice, once more to take it back, and by all who leave at once. */
    notices: { perPeerMax: 8, perPrefixMax: 512, perMinuteMax: 2048 },
    /** Groups named in one notice: a vault that is over its quota gives up a few at a time. */
    groupsMax: 64,
    /** Taking it back waits so long for those who are to be told; the others' notices run out. */
    cancelMsMax: 5_000,
    /** Peers told at once. */
    tellsAtOnce: 16,
    /** Shards in one step whose new holders are asked before the old ones are dropped. */
    handoversPerStep: 32,
  },
  vault: {
    /** Owners whose totals lie in memory, 200 bytes each. */
    ownersMax: 4096,
    /** Strangers' shares that all owners together may have whom one peer or prefix brought. */
    introducedFactor: 2,
    /** Left free on the disk for its user: 1 GiB, of a small one a twentieth. */
    diskReserveBytesMax: 1024 * MiB,
    diskReserveShare: 1 / 20,
    /** 4 TiB of full shards: as many files as one directory tree bears without complaint. */
    shardsMax: 4 * 1024 * 1024,
    /** Groups of one owner: what one answer of `records` can carry. */
    groupsPerOwnerMax: 64,
    /** Records of what one owner shares, 24 KiB at most: all are searched for a reader. */
    sharesPerOwnerMax: 160,
    /** Owners whose shares stay parsed: each read by a stranger is checked against them. */
    sharesParsedMax: 64,
    /** Segments that may name the very same shard; more is somebody's game. */
    placesPerShardMax: 16,
    /** Segment records in one answer, 3 KiB each at most. */
    segmentsPerAnswerMax: 256,
    /** Shards that are being written at once, a full one each in memory; the rest wait. */
    storesMax: 8,
    storeQueueMax: 128,
    /** Manifests that stay parsed: reads and proofs check the asker against one. */
    manifestsParsedMax: 256,
    /** Policies that stay parsed: at most so many kinds of owners' rules are about at once. */
    policiesParsedMax: 64,
    /** A step of the scrub: about 20 ms of hashing. */
    scrubShardsPerStep: 8,
    /** Every shard is read and hashed this often, as disks' own patrols do. */
    scrubEveryMs: 14 * 24 * 3_600_000,
    /** How long a released segment is refused, should somebody replay its store request. */
    releasedAgeMsMax: 90 * 24 * 3_600_000,
    /** A replaced member keeps its shards so long: only their owner moves them, and may be away. */
    strayGraceMs: 60 * 24 * 3_600_000,
  },
  /** What a drive knows of other people, as its root has it (dag/ties.ts). */
  ties: {
    /** All that sharing may have at once, and four times as many that are gone. */
    entriesMax: 8192,
    keyBytesMax: 128,
    /** A grant by a link, the largest, has 1.6 KiB. */
    valueBytesMax: 4 * KiB,
    /** All contacts and grants that there may be take 1.5 MB: eight chunks. */
    bytesMax: 2 * MiB,
    /** A change a second for 30,000 years: no device that is honest gets there. */
    stampMax: 2 ** 40,
    /** Changes of one entry between two times that less is said: by hand nobody makes more. */
    stampsPerLess: 2 ** 16,
    /** The same between two times that it is taken away, of which there may be as many. */
    stampsPerTaking: 2 ** 24,
    /** A tree or a node that did not take them is told again so soon. */
    againMs: 2_000,
  },
  sharing: {
    /** People who read one folder: their keys, 150 bytes each, go with each of its states. */
    readersMax: 32,
    /** Folders of one drive that others read: each is told to all holders with each commit. */
    sharesMax: 64,
    /** Folders of others that are looked at every few seconds. */
    takenMax: 64,
    /** Owners whose groups put folders into this person's inbox; so is each of these. */
    inboxesTakenMax: 32,
    /** Folders of others that this person verifies, without reading them. */
    wardsMax: 32,
    /** Of them by links: each is somebody whom this node's greeting names besides its user. */
    takenLinksMax: 12,
    contactsMax: 1024,
    groupsMax: 64,
    /** People who are in a group: each has an inbox, one more record with all holders. */
    inboxesMax: 96,
    /** What a folder is called in an inbox: 64 of them are to fit a record. */
    inboxNameBytesMax: 128,
    nameBytesMax: 255,
    /** What is written in a folder of somebody else's has a store: a part of the drive's ... */
    guestStoreShare: 4,
    /** ... and of so much at least: what it holds has to be with peers before it makes room. */
    guestStoreBytesMin: 256 * MiB,
    /** What such a folder refers to that its writer did not make: with more than 256 GiB of it her
     *  census, of 2 MiB, finds less. */
    guestCensusBlocks: 2 ** 20,
    /** Of those who keep a share, so many stand in a grant: it is to fit a picture for a camera. */
    grantPeersMax: 4,
    grantCharsMax: 4096,
    personCharsMax: 1024,
    /** Between two looks for a newer state; each asks one holder, and gets a few bytes back. */
    lookMs: 1_500,
    /** Holders asked one after another in one look while none has answered. */
    askedPerLookMax: 6,
    /** Holders asked for the newest record before another device's may be followed by one ... */
    newestAskedMax: 4,
    /** ... and how long: one of them may be silent while others wait to be told. */
    newestAskMs: 2_000,
    /** A device that was not met for so long has left its part to the others. */
    deviceGoneMs: 600_000,
    /** Without any answer the next look is this much later: doubles from the first to the last. */
    restMsMin: 2_000,
    restMsMax: 60_000,
    /** A device that was let in by a code acts for its person so long: what one that was removed
     *  goes on with, and how long one may be without any that has the words. */
    mandateMs: 12 * 3_600_000,
    /** Before such devices are left more: what comes in between is one change of the drive. */
    mandateRestMs: 5_000,
    /** Such devices that act for their persons no more, as holders remember them; the first go. */
    dismissedMax: 1024,
    /** Holders that heard of one are told again: one that began anew has forgotten it. */
    dismissAgainMs: 10 * 60_000,
    /** How long a revocation waits for holders to confirm it; the others hear of it later. */
    revokeMs: 5_000,
    /** Revocations that are remembered, with what holders signed of each. */
    withdrawalsMax: 32,
    /** A folder that did not change is told of anew so often: its blocks may lie elsewhere. */
    unchangedMs: 60_000,
    /** Whether another device writes by a right is asked so often while nothing is written here. */
    claimLookMs: 30_000,
    /** Holders that missed a new state are told again so often. */
    tellAgainMs: 30_000,
    /** Names looked at to find a folder that was renamed, pages of which are on this machine. */
    searchedMax: 1_000_000,
    /** Opened pages of another's catalogue kept at hand: 200 KiB each at most. */
    pagesMax: 16,
  },
  /** Giving back the room of what a drive refers to no more. */
  reclaim: {
    /** Names of 32 million blocks at two bytes each: 8 TiB. With more of them it finds less. */
    filterBytesMax: 64 * MiB,
    /** Between two counts of what is referred to, each a walk of the whole tree ... */
    pauseMsMin: 3_600_000,
    /** ... and so many times as long as the last one took: 2 % of the thread that it takes. */
    pauseFactor: 50,
    /** While copies have to go that somebody must not have, there is another count this soon. */
    clearAgainMs: 10_000,
    /** Blocks placed since a count, until a head does without the others; then it is too old. */
    placedSinceMax: 1_000_000,
    /** Catalog entries forgotten in one batch. */
    forgottenPerBatch: 2048,
    /** Of a segment's data room: with less than this in use it is packed anew with others ... */
    sparseShare: 0.6,
    /** ... so many at once, each held in memory while its blocks are taken out ... */
    repackedAtOnce: 16,
    /** ... if so much of the room is saved: it costs an upload of what stays. */
    savedShareMin: 0.3,
  },
} as const;
