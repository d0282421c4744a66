/**
 * What a node's books call what they keep: of each KeyValue one table, whichever rooms share it, so
 * that no two of them take one name. A name that ends in "/" is followed by ids; whoever keeps what
 * stands there says what is in it. Names are on disk: they are added, and never changed.
 */

/** `books/transfer`: of a drive's blocks on their way to peers and back. */
export const transferKeys = {
  segment: "s/",
  manifest: "m/",
  /** Of a block; and the same again while no run of the catalog has it. */
  place: "c/",
  newPlace: "n/",
  catalogPage: "p/",
  /** Runs of other devices that were taken in. */
  learnedRun: "l/",
  runs: "x/runs",
  runUnderWay: "x/building",
  runsToRenew: "x/renew",
  headSequence: "x/sequence",
  ownHead: "x/head",
  toldSequence: "x/told",
  newerHead: "x/newer",
  mergedHead: "h/",
  forgottenDevice: "g/",
  roll: "x/roll",
  renewedEpoch: "x/renewed",
  policyText: "r/",
  policyOfGroup: "q/",
  surplusShard: "d/",
  outgoingSegment: "o/",
  movingSegment: "v/",
  census: "x/census",
  doubt: "x/doubt",
  life: "x/life",
  clearing: "x/clear",
  oldSegment: "k/",
  doomedSegment: "y/",
  clearedCount: "e/",
  clearedWord: "z/",
} as const;

/** `books/agent`: of what a node finds out of others, and of its own leaving. */
export const agentKeys = {
  history: "h/",
  looked: "x/looked",
  race: "w/",
  probe: "r/",
  sample: "q/",
  guard: "guard/",
  leave: "leave/",
} as const;

/** `books/ledger`: of who did what for whom. */
export const ledgerKeys = {
  book: "book",
  credit: "e/",
  admission: "n/",
  tally: "t/",
  marks: "m/",
  fraud: "f/",
  lodging: "o/",
  arrears: "a/",
} as const;

/** `books/vault`: of what is kept for others. */
export const vaultKeys = {
  vault: "vault",
  scrub: "scrub",
  owner: "owner/",
  introduction: "via/",
  place: "place/",
  held: "held/",
  record: "record/",
  /** Of the same records: by their groups. */
  grouped: "grouped/",
  manifest: "manifest/",
  log: "log/",
  policy: "policy/",
  ballot: "ballot/",
  /** Followed by a peer; from before an owner had several devices, by nothing. */
  head: "head/",
  share: "share/",
  /** Followed by an owner: up to which number records went that named nobody. */
  closedShares: "closed/",
  released: "gone/",
  letGo: "went/",
  roll: "roll/",
} as const;

/** `books/peers`: of who there is and where, and of blocks that IPFS was given. */
export const peopleKeys = {
  peer: "peer/",
  friend: "friend/",
  vouch: "vouch/",
  sighting: "place/",
  statement: "range/",
  ipfsBlock: "ipfs/",
} as const;

/** `books/sharing`: of people, of what they give and are given. */
export const sharingKeys = {
  contact: "c/",
  /** There: what older versions wrote without a seal has one. */
  sealedTies: "s/ties",
  group: "m/",
  given: "g/",
  /** The state of a given folder that was told last. */
  givenState: "l/",
  renewal: "r/",
  withdrawal: "w/",
  /** What a guest wrote that was taken in last. */
  written: "e/",
  taken: "t/",
  takenThrough: "u/",
  inbox: "i/",
  ownInbox: "y/",
  /** Who may verify a folder of ours; and one of others that we may. */
  verifiers: "n/",
  ward: "v/",
  /** Followed by a writer and what guestKeys names. */
  guest: "o/",
} as const;

/** Of what a root of the drive has of people and shares (dag/ties.ts). */
export const tieKeys = {
  contact: "c/",
  taken: "t/",
  inbox: "i/",
  /** For a device that was let in by a code. */
  mandate: "d/",
  reading: "k/",
  /** A folder that the drive shares; followed by a device and a slot of its own. */
  given: "g/",
  /** Of such a folder: somebody who may read it, and the right of one who may write. */
  way: "w/",
  right: "x/",
  /** A group of people; and one of them. */
  group: "m/",
  member: "n/",
  /** How often each device has changed any of these. */
  changes: "v/",
  /** The devices that somebody writes on in such a folder. */
  guestDevices: "e/",
} as const;

/** What is written in a folder of somebody else's is a drive of its own. */
export const guestKeys = {
  transfer: "t/",
  agent: "a/",
  sequence: "sequence",
  begun: "begun",
  rival: "rival",
  /** Of the right itself: on which other devices its person writes, and what of each is in. */
  roster: "roster",
  kin: "k/",
} as const;
