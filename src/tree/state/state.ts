/**
 * The drive's state in memory: what is, not how it becomes so. The one way to change it is a record
 * of the journal (recording.ts). It knows nothing of POSIX (the operations' files do) nor of pages
 * (layer-pages.ts does).
 */
import type { DriveStore } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import type { Instant } from "../../base/filesystem.ts";
import type { Ino } from "../../base/ids.ts";
import type { Log } from "../../base/log.ts";
import type { PinStore } from "../../base/pins.ts";
import type { Random } from "../../base/random.ts";
import type { Eras } from "../../dag/eras.ts";
import { type Inode, type PageTree, inodeWith } from "../../dag/inodes.ts";
import type { TreeKeys } from "../../dag/keys.ts";
import { type Seen, markOf, seenByBoth } from "../../dag/marks.ts";
import type { DrivePolicies } from "../../dag/policies.ts";
import type { RootRecord } from "../../dag/root.ts";
import { Wanted } from "../attempt.ts";
import { Bar } from "./bar.ts";
import { Blocks, type HandedChunk } from "./blocks.ts";
import { type Device, nextMark } from "./devices.ts";
import type { DirtyChunk } from "./dirty.ts";
import { JournalEnd, sealingFirst } from "./journal-end.ts";
import type { HomePlace } from "./journal.ts";
import { Layer } from "./layers.ts";
import { type Home, type Node, Nodes, countedBytesOf } from "./nodes.ts";
import { Pins } from "./pins.ts";

export interface TreeNeeds {
  readonly store: DriveStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The text of the user's policy of this name; undefined when there is none. */
  readonly policies?: (name: string) => string | undefined;
  /** What may be kept here though peers have it; without it nothing can be pinned. */
  readonly pins?: PinNeeds;
}

export interface PinNeeds {
  readonly store: PinStore;
  /** Whether every policy lets this machine keep what peers have, too. */
  readonly mayKeep: () => Promise<boolean>;
}

export interface Secrets {
  /** What is written of this node from now on must be under a new secret. */
  areStale(node: Node): boolean;
  /** It has one. */
  renewed(node: Node): void;
  /** These are where they shall be, each with the place where it was before. */
  moved(movedFrom: ReadonlyMap<Node, Home>): void;
  /** Whether others were ever given those of a folder above it. */
  areGiven(node: Node): boolean;
  /** Whether the table of linked files is to have a new secret; true once each time. */
  takesTable(): boolean;
}

export interface StateOptions {
  readonly readOnly: boolean;
  readonly device: Device;
  readonly blocks?: Blocks | undefined;
}

export class State {
  readonly needs: TreeNeeds;
  readonly keys: TreeKeys;
  readonly readOnly: boolean;
  readonly bar: Bar;
  readonly device: Device;
  readonly blocks: Blocks;
  readonly nodes: Nodes;
  readonly pins: Pins;
  active = new Layer(0);
  frozen: Layer | undefined = undefined;
  /** The table of linked files, as committed last. */
  linked: PageTree;
  /** The next mark of this device: of a new inode, an edit or a move. */
  nextIno: number;
  /** Marks from here on are of the active layer, and nobody else has seen them. */
  freshFrom: number;
  /** What of the other devices' changes is in here. */
  seen: Seen;
  /** While a merge decides: whoever would change something waits for it. */
  merging: Promise<void> | undefined = undefined;
  sequence: number;
  policies: DrivePolicies;
  eras: Eras;
  /** Of the names of policies, those that a crash cannot take back: only they govern anything. */
  namesKept = 0;
  /** Grows when the policy that some folder goes by may have become another: see slots.ts. */
  placesChanged = 0;
  /** Names of policies under which nothing more is taken, and why: see refusing.ts. */
  refused: ReadonlyMap<string, string> = new Map();
  /** False where the table of linked files is not at hand: their names are passed over. */
  showsLinked = true;
  /** Folders of which others have the secrets. */
  readonly given = new Set<Ino>();
  /** What moved, and from where, in the act that is being made so. */
  readonly movedFrom = new Map<Node, Home>();
  /** That act is of several records. */
  isTogether = false;
  /** Set by resealing.ts: what lies below this folder may have to follow its policy. */
  reseal: (node: Node) => void = () => undefined;
  /** The same, where another device is heard to do it: only if it falls silent. */
  resealLater: (nodes: readonly Node[]) => void = () => undefined;
  /** Set by renewing.ts: whose secret somebody has who is not to have it any more. */
  secrets: Secrets = {
    areStale: () => false, areGiven: () => false, takesTable: () => false,
    renewed: () => undefined, moved: () => undefined,
  };
  /** Set by brake.ts: a node that is known is about to become this. */
  changing: (node: Node, inode: Inode) => void = () => undefined;
  /** Above zero while the drive itself changes files: that is nobody's loss. */
  quiet = 0;
  /** Another device is there to hear at once of what changes here. */
  isHeard = false;
  /** Set by prompt.ts: something changed. */
  noticed: () => void = () => undefined;
  /** Set by garbage.ts: garbage is looked for, though there is room. */
  collectSoon: () => void = () => undefined;
  readonly totals: { files: number; bytes: number };
  /** Files with unpublished data. */
  readonly liveFiles = new Set<Node>();
  /** Handed to the store, and linked by nobody yet (handing.ts). */
  readonly unlinked = new Set<readonly HandedChunk[]>();
  /** Chunks with unsealed data, the one longest untouched first. */
  readonly dirtyChunks = new Set<DirtyChunk>();
  /** The memory that unsealed data takes, and that of what is being sealed just now. */
  dirtyBytes = 0;
  sealingBytes = 0;
  readonly journal: JournalEnd;
  /** When the oldest change that no commit has was made. */
  changedAtMs: number | undefined = undefined;
  /** How many there are; of none is a commit made, though something waits to be sealed. */
  changes = 0;
  /** Set by commit.ts: resolves when the journal has room again. */
  relieve: () => Promise<void> = async () => undefined;

  /** A state of the past shares what the present one has opened. */
  constructor(
    needs: TreeNeeds, keys: TreeKeys, root: RootRecord,
    { readOnly, device, blocks }: StateOptions,
  ) {
    const { random, log } = needs;
    this.journal = new JournalEnd({ store: needs.store, keys, random });
    this.needs = { ...needs, store: sealingFirst(needs.store, () => this.journal.seal()) };
    this.keys = keys;
    this.readOnly = readOnly;
    this.bar = new Bar({ readOnly });
    this.blocks = blocks ?? new Blocks(needs, keys);
    this.nodes = new Nodes((tree) => void this.active.dropped.push(tree));
    this.pins = new Pins({ store: needs.pins?.store, keys, random, log });
    this.linked = root.linked;
    this.device = device;
    this.seen = root.devices;
    this.nextIno = nextMark(root, device);
    this.freshFrom = this.nextIno;
    this.sequence = root.sequence;
    this.totals = { files: root.files, bytes: root.bytes };
    this.policies = root.policies;
    this.eras = root.eras;
    if (blocks === undefined) {
      this.haveEras(root.eras);
      this.havePolicies(root.policies);
    }
    this.load(root.directory.inode, root.directory.tree, { kind: "root" });
  }

  /** An inode that pages hold comes into memory. */
  load(inode: Inode, tree: PageTree, home: Home): Node {
    const node = this.nodes.add(inode, tree, home);
    node.countedBytes = countedBytesOf(inode);
    return node;
  }

  newIno(): Ino {
    return this.nextIno++ as Ino;
  }

  now(): Instant {
    const ns = this.needs.clock.nowNs();
    const nanoseconds = Number(((ns % billion) + billion) % billion);
    return { seconds: Number((ns - BigInt(nanoseconds)) / billion), nanoseconds };
  }

  /** Every operation that changes something begins here. */
  mayChange(): void {
    this.bar.check();
    const { merging } = this;
    if (merging !== undefined) throw new Wanted(() => merging);
    if (this.journal.isFull) throw new Wanted(this.relieve);
  }

  /** The inode as a crash may show it: without the sizes of data that is not published. */
  publishedInode(node: Node, inode: Inode): Inode {
    return node.live === undefined ? inode : inodeWith(inode, node.live.published);
  }

  placeOf(home: Home): HomePlace {
    if (home.kind !== "entry") return home;
    return { kind: "entry", parent: home.parent.ino, key: home.key, name: home.name };
  }

  homeOf(place: HomePlace): Home {
    if (place.kind !== "entry") return place;
    const { key, name } = place;
    return { kind: "entry", parent: this.nodes.get(place.parent), key, name };
  }

  /** The layer and all above it know this node, though nothing of it changed. */
  keep(node: Node): void {
    if (node.keptIn === this.active.number) return;
    const inode = this.publishedInode(node, node.inode);
    this.active.keep({ node, inode, home: node.home });
    if (node.home.kind === "entry") this.keep(node.home.parent);
  }

  /** All that these devices had made by then is in here, or was decided on. */
  haveSeen(devices: Seen): void {
    this.seen = seenByBoth(this.seen, devices);
    // They may know of marks that a store which was lost made here.
    const { number } = this.device;
    const count = devices.get(number)?.count ?? 0;
    this.nextIno = Math.max(this.nextIno, markOf(number, count + 1));
  }

  /** From here on chunks are sealed under the keys of this era. */
  haveEras(eras: Eras): void {
    this.eras = eras;
    this.blocks.era = eras.now;
  }

  /** From here on chunks are sealed under keys by these names. */
  havePolicies(policies: DrivePolicies): void {
    this.policies = policies;
    this.blocks.policies = policies;
    this.placesChanged++;
  }

  /** A record that changes nothing: what came before it has a place in the journal. */
  mark(): void {
    this.changed();
    this.journal.append([], { namesDurableOnly: true });
  }

  /** Something changed that the next commit must keep. */
  changed(): void {
    this.changes++;
    this.changedAtMs ??= this.needs.clock.monotonicMs();
    if (this.isHeard) this.noticed();
  }
}

const billion = 1_000_000_000n;
