/** Limits of what a node does by itself for its drive; see limits.ts. */

export const agentLimits = {
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
    /** Between two looks at who keeps so much that it is asked for samples. */
    samplePlanMs: 60_000,
    /** A holder that was sampled so long ago begins anew. */
    sampleForgetMs: 30 * 24 * 3_600_000,
    /** How long a holder may take beyond some of its own round trips. */
    answerMsMin: 3_000,
    /** Each holder gives a whole shard so often: 40 MiB a day of a class of 40. */
    probeEveryMs: 24 * 3_600_000,
    /** Between two looks at who is due, once nobody is. */
    probeLookMs: 60_000,
    /** So many in a row that brought nothing, over so long, and it gives nothing back. */
    probeFailuresMax: 4,
    probeRefusalMs: 3 * 24 * 3_600_000,
    /** Shards raced through with each probe: k times as much to fetch, for who has none. */
    raceShards: 8,
    /** All of them may take so long: an old disk reads 8 MiB, and for 128 one needs 2.7 Gbit/s. */
    raceMs: 400,
    /** ... and two round trips each, of at most so long: whoever seems far away gains little. */
    raceTripMsMax: 150,
    /** Whoever was not probed for so long begins anew. */
    probeForgetMs: 30 * 24 * 3_600_000,
    /** Wrong answers remembered of a peer that cost it its seats: one may be a broken disk. */
    wrongsMax: 2,
    /** Shards brought home in one repair step, and what else their segments lack. */
    mendsPerStep: 32,
    /** Shards kept in a plan, of segments in equal danger: what some steps bring. */
    mendsPlannedMax: 1024,
    /** Whether holders have lost something beyond repair is looked at this often. */
    rescueEveryMs: 600_000,
    /** Segments looked at before others have the thread: some milliseconds of the widest. */
    segmentsPerSlice: 512,
    /** Segments mended at once: each is k shards and all that it lacks, in memory. */
    segmentsMendedAtOnce: 2,
    /** How long a member that could not be given a shard is left alone: doubles each time. */
    restMsMin: 30_000,
    restMsMax: 3_600_000,
    /** Seats given away in one repair step, and what others their groups have to give. */
    replacementsPerStep: 16,
    /** Segments placed anew in one step, because no substitute can mend their group. */
    movesPerStep: 4,
    /** A turn of levelling: by its end offers tell what moved in it. Two days move most of it. */
    balanceEveryMs: 6 * 3_600_000,
    /** How long what wavers, or is not measured yet, must speak against a member. */
    doubtMs: 10 * 60_000,
    /** Between two looks at whether this machine may keep what peers have. */
    cachePolicyMs: 5_000,
    /** Between two looks at which policies refuse, and how long they must be past all hope. */
    refusalLookMs: 2_000,
    refusalPatienceMs: 6_000,
    /** Peers whose answers are remembered, 2 KB each at most: 40,000 may be asked in an hour. */
    historiesMax: 32_768,
    /** Reads and uploads tell of a peer at most this often; audits always. */
    observationMsMin: 60_000,
    /** Between two looks at the members; after more, this machine slept or its clock was set. */
    lookGapMsMax: 10 * 60_000,
    /** Most members gone at once is our own line more likely than deaths: so much patience. */
    cohortPatience: 3,
    /** Between two rounds of sending head and manifests to members that were away. */
    republishMs: 3_600_000,
    /** Between two questions of what members did while no machine of the drive was there. */
    adoptEveryMs: 10 * 60_000,
    /** Newcomers that proved nothing are asked again after so long at most: doubles each time. */
    adoptRestMsMax: 24 * 3_600_000,
    /** Between two looks at the drive's safety; each counts all segments, 50 ms of the largest. */
    outlookEveryMs: 10_000,
    /** What an estimate of the time left looks back on: long enough for a slow line's shards. */
    countdownWindowMs: 5 * 60_000,
    /** Bad holders named in one report. */
    badMax: 1_000,
  },
  /** Folders of others that this machine's person may verify. */
  wards: {
    /** Each is gone through so often: its owner and its groups look after it as well. */
    roundMs: 12 * 3_600_000,
    /** So soon again, where a round came to no end: those who keep it may be there by then. */
    againMs: 10 * 60_000,
    /** Who keeps it and is asked what there is: one alone could leave something out. */
    tellersMax: 3,
    /** Looked at in one step, all their holders at once. */
    segmentsPerStep: 4,
    /** How long a person waits for all of one, who asked for it. */
    verifyMs: 3_600_000,
  },
} as const;
