/** The ports of the cache, put together from its parts. It decides little: the parts do. */
import type { AppendOptions, BlockFetcher, BlockPlace, GetOptions } from "../base/blocks.ts";
import type { PutOptions, RoundOptions, Sequence, StoreUsage } from "../base/blocks.ts";
import { type Sweep, type UploadRound, unknownSlot } from "../base/blocks.ts";
import type { CidFilter } from "../base/cid-filter.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, assert } from "../base/errors.ts";
import type { ByteRange } from "../base/filesystem.ts";
import type { Cid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Maybe, Step } from "../base/step.ts";
import { Intake } from "./blocks/intake.ts";
import { Reading } from "./blocks/reading.ts";
import type { Cache } from "./cache.ts";
import { Durable } from "./commits/durable.ts";
import { Rounds } from "./commits/rounds.ts";
import type { Disk } from "./disk/disk.ts";
import { notOfIndex } from "./disk/faults.ts";
import { BlockLog } from "./files/block-log.ts";
import { type BlockEntry, marks } from "./files/entry.ts";
import { holdsHeader } from "./files/frame.ts";
import type { Catalog } from "./index/catalog.ts";
import type { LevelTable } from "./index/level.ts";
import type { Books } from "./index/records.ts";
import type { Journal } from "./journal/journal.ts";
import type { Report } from "./report.ts";
import { Cleaner } from "./room/cleaner.ts";
import { DirtyRoom } from "./room/dirty-room.ts";
import { Retention } from "./room/retention.ts";
import { dirtyBytesFor, fileBytesFor } from "./room/sizes.ts";
import { Space } from "./room/space.ts";
import { OpenSweep } from "./room/sweep.ts";
import { type ArePlaced, type BlockCheck, type BlockCheckOptions, checkBlocks, unplacedIn }
  from "./start/check.ts";
import type { Recovered } from "./start/recovery.ts";
import { troubleOf } from "./trouble.ts";
import { Uploads } from "./uploads/uploads.ts";

interface Needs {
  readonly blocks: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly fetcher: BlockFetcher | undefined;
  readonly table: LevelTable;
  readonly journal: Journal;
  readonly report: Report;
  readonly recovered: Recovered;
  /** The list of pins, as it was saved last. */
  readonly pins: Uint8Array | undefined;
}

interface Options {
  readonly limitBytes: number;
  readonly dirtyBytesMax?: number;
  readonly fullWaitMs?: number;
  /** What to do once all that was found is durable. */
  readonly settled: () => Promise<void>;
  /** What to do last of all. */
  readonly release: (books: Books | undefined) => Promise<void>;
}

/** Whoever puts such a block again brings it back. */
const lost = marks.broken | marks.unread;

export class Store implements Cache {
  readonly step: Step;
  readonly pins: Retention;
  readonly #needs: Needs;
  readonly #options: Options;
  readonly #catalog: Catalog;
  readonly #disk: Disk;
  readonly #log: BlockLog;
  readonly #rounds: Rounds;
  readonly #reading: Reading;
  readonly #room: DirtyRoom;
  /** What the journal holds was taken in before the crash: until its commit nothing waits for room,
   *  which only an upload makes, and that begins after it. */
  #isReplaying = false;
  readonly #intake: Intake;
  readonly #durable: Durable;
  readonly #cleaner: Cleaner;
  readonly #space: Space;
  readonly #uploads: Uploads;
  readonly #listeners = new Set<() => void>();
  #sweep: OpenSweep | undefined;
  #closing: Promise<void> | undefined;

  constructor(needs: Needs, options: Options) {
    const { recovered, report, log } = needs;
    const { fullWaitMs = limits.cache.fullWaitMs } = options;
    this.#needs = needs;
    this.#options = options;
    this.#disk = needs.disk;
    this.#catalog = recovered.catalog;
    this.#disk.unwrittenBytes = () => this.#log.pendingBytes;
    this.#rounds = new Rounds(this.#catalog, recovered);
    this.#log = new BlockLog(
      { directory: needs.blocks, files: recovered.files },
      { fileBytesMax: fileBytesFor(options.limitBytes) },
    );
    const keep = (cid: Cid, bytes: Uint8Array): void => this.#keep(cid, bytes);
    this.#reading = new Reading({ catalog: this.#catalog, log, report, keep }, needs.fetcher);
    this.#room = new DirtyRoom(
      { clock: needs.clock, used: () => this.#catalog.dirtyBytes },
      { bytesMax: dirtyBytesFor(options), fullWaitMs },
    );
    const parts = { catalog: this.#catalog, log: this.#log, rounds: this.#rounds };
    this.#intake = new Intake({ ...parts, report, spend: (bytes) => this.#space.spend(bytes) });
    const { disk, journal, table } = needs;
    this.#durable = new Durable({
      ...parts, disk, journal, table, committed: () => this.#tell(),
    });
    const { group } = this.#durable;
    this.#cleaner = new Cleaner({
      ...parts, group, reading: this.#reading, report,
      leaving: (file) => this.#durable.copyRoot(file),
    }, options);
    this.#space = new Space({
      ...parts, disk, group, journal, cleaner: this.#cleaner, room: this.#room,
    }, options);
    this.#uploads = new Uploads({
      catalog: this.#catalog, clock: needs.clock, log, rounds: this.#rounds,
      reading: this.#reading, room: this.#room, group,
      tell: () => this.#tell(),
    });
    this.pins = new Retention({
      ...parts, directory: disk.directory, cleaner: this.#cleaner, reading: this.#reading, keep,
    }, needs.pins);
    const step = async (signal: AbortSignal): Promise<"busy" | "idle"> => {
      return this.#closing === undefined ? await this.#space.step(signal) : "idle";
    };
    this.step = { name: this.#space.name, step };
  }

  put(cid: Cid, sealed: Uint8Array, options: PutOptions = {}): Maybe<void> {
    this.#assertOpen("cache.put");
    const known = this.#catalog.get(cid);
    if (known !== undefined && !known.is(lost)) return this.#putAgain(known, options);
    if (sealed.length > limits.dag.blockBytesMax) throw new HiveError("TooLarge", "cache.put", cid);
    this.#refuseIfStuck();
    if (this.#isReplaying || this.#room.hasRoom(sealed.length)) {
      this.#insert(cid, sealed, options);
      return this.#throttle();
    }
    const entered = this.#room.wait(sealed.length, () => this.#insert(cid, sealed, options));
    this.#tell();
    return entered.then(() => this.#throttle());
  }

  get(cid: Cid, options: GetOptions = {}): Maybe<Uint8Array> {
    this.#assertOpen("cache.get");
    return this.#reading.get(cid, options);
  }

  getPart(cid: Cid, range: ByteRange): Maybe<Uint8Array | undefined> {
    return this.#reading.getPart(cid, range);
  }

  has(cid: Cid): boolean {
    const entry = this.#catalog.get(cid);
    return entry !== undefined && !entry.is(marks.condemned) && !entry.is(marks.broken);
  }

  discard(cid: Cid): void {
    const entry = this.#catalog.get(cid);
    if (entry === undefined || entry.is(marks.condemned)) return;
    this.#rounds.discard(entry);
    this.#room.wake();
  }

  sweep(living?: CidFilter): Sweep {
    this.#sweep = new OpenSweep({
      catalog: this.#catalog, discard: (cid) => this.discard(cid),
      settle: () => this.#durable.group.request("settled"),
    }, living);
    return this.#sweep;
  }

  append(
    record: Uint8Array, options: AppendOptions = { namesDurableOnly: false },
  ): Sequence {
    this.#assertOpen("cache.append");
    this.#durable.refuseIfHindered();
    const sequence = this.#needs.journal.append(record, options);
    this.#uploads.wrote();
    this.#commitIfMuch();
    return sequence;
  }

  async sync(): Promise<void> {
    this.#assertOpen("cache.sync");
    await this.#durable.sync();
  }

  async syncRecords(): Promise<void> {
    this.#assertOpen("cache.sync");
    await this.#durable.syncRecords();
  }

  async commit(root: Uint8Array, through: Sequence): Promise<void> {
    this.#assertOpen("cache.commit");
    assert(through <= this.#needs.journal.last, "a commit through records that exist");
    this.#rounds.commit(root, through);
    await this.#durable.group.request("settled");
    this.#isReplaying = false;
  }

  root(): Uint8Array | undefined {
    return this.#rounds.committed?.root;
  }

  async *replay(): AsyncIterable<Uint8Array> {
    for await (const record of this.#needs.journal.replay(this.#rounds.committed?.through ?? 0)) {
      this.#isReplaying = true;
      yield record;
    }
  }

  usage(): StoreUsage {
    return {
      limitBytes: this.#space.limitBytes, usedBytes: this.#log.usedBytes,
      dirtyBytes: this.#catalog.dirtyBytes,
      dirtyBytesMax: this.#room.bytesMax,
    };
  }

  beginRound(options?: RoundOptions): Promise<UploadRound | undefined> {
    return this.#uploads.beginRound(options);
  }

  read(cid: Cid): Promise<Uint8Array> {
    return this.#uploads.read(cid);
  }

  place(cid: Cid): Promise<BlockPlace | undefined> {
    return this.#uploads.place(cid);
  }

  placed(cids: readonly Cid[]): Promise<void> {
    return this.#uploads.placed(cids);
  }

  endRound(root: Uint8Array): Promise<void> {
    return this.#uploads.endRound(root);
  }

  lost(cids: readonly Cid[]): Promise<readonly Cid[]> {
    return this.#uploads.lost(cids);
  }

  dropClean({ pinned } = { pinned: false }): Promise<number> {
    return this.#cleaner.dropClean({ retained: pinned });
  }

  setLimit(limitBytes: number): Promise<void> {
    return this.#space.setLimit(limitBytes);
  }

  setFetcher(fetcher: BlockFetcher | undefined): void {
    this.#reading.fetcher = fetcher;
  }

  trouble(): string | null {
    const { directory, roomBytes } = this.#disk;
    return troubleOf({
      directory, failure: this.#durable.hindrance ?? this.#log.failure,
      isDiskFull: roomBytes < limits.dag.blockBytesMax, isFullOfDirty: this.#room.isExhausted,
    });
  }

  onDirty(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  report(): Readonly<Report> {
    return { ...this.#needs.report };
  }

  get isPublished(): boolean {
    return this.#rounds.isPublished;
  }

  async reclaim(arePlaced: ArePlaced): Promise<number> {
    return this.#uploads.again(await unplacedIn(this.#catalog, arePlaced));
  }

  check(options: BlockCheckOptions): Promise<BlockCheck> {
    const parts = { catalog: this.#catalog, log: this.#log, reading: this.#reading };
    return checkBlocks({ ...parts, settle: () => this.#durable.group.request("settled") }, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const reason = new HiveError("Unavailable", "cache.close", "the cache is closing");
    this.#room.refuseAll(reason);
    this.#reading.stop(reason);
    this.#uploads[Symbol.dispose]();
    let books: Books | undefined;
    try {
      if (this.#durable.group.failure === undefined) await this.#durable.group.request("settled");
      if (this.#durable.group.failure === undefined) books = this.#durable.books;
    } finally {
      await this.#needs.journal.close();
      await this.#log.close();
      await this.#needs.table.close();
      await this.#options.release(books);
    }
  }

  #assertOpen(op: string): void {
    if (this.#closing !== undefined) throw new HiveError("Unavailable", op, "the cache is closed");
  }

  #putAgain(entry: BlockEntry, { slot = 0 }: PutOptions): void {
    this.#catalog.setSlot(entry, slot);
    this.#sweep?.keep(entry.cid);
    this.pins.putAgain(entry);
    if (entry.is(marks.condemned)) this.#rounds.revive(entry);
  }

  /** Nothing more is taken in once the disk has refused what is in memory already. */
  #refuseIfStuck(): void {
    this.#durable.refuseIfHindered();
    const { failure, pendingBytes } = this.#log;
    if (failure !== undefined && pendingBytes > limits.cache.pendingBytesMax) throw failure;
  }

  #insert(cid: Cid, sealed: Uint8Array, options: PutOptions): void {
    const { slot = 0, freed } = options;
    const known = this.#catalog.get(cid);
    if (known !== undefined && !known.is(lost)) return this.#putAgain(known, options);
    this.#uploads.wrote();
    if (known === undefined) return this.#intake.add(cid, sealed, { dirty: true, slot, freed });
    this.#intake.mend(known, sealed);
    this.#putAgain(known, options);
  }

  /** What was fetched stays if that costs nobody any room, and if it is nobody's snare. */
  #keep(cid: Cid, bytes: Uint8Array): void {
    const unable = this.#closing ?? this.#durable.hindrance ?? this.#log.failure;
    if (unable !== undefined || holdsHeader(bytes)) return;
    const known = this.#catalog.get(cid);
    if (known?.is(lost) === true) this.#intake.mend(known, bytes);
    if (known !== undefined) return;
    if (!this.#space.fits(bytes.length)) {
      this.#inBackground(this.#space.makeRoom());
      return;
    }
    this.#intake.add(cid, bytes, { dirty: false, slot: unknownSlot });
    this.#commitIfMuch();
  }

  /** After each block that a writer brings. */
  #throttle(): Maybe<void> {
    this.#commitIfMuch();
    return this.#space.throttle();
  }

  /** Keeps what one group commit has to write, and what memory holds, small. */
  #commitIfMuch(): void {
    const many = this.#catalog.changes >= limits.cache.batchChangesMax;
    const much = this.#needs.journal.pendingBytes >= limits.cache.journalPendingBytesMax;
    if (many || much) this.#inBackground(this.#durable.group.request(many ? "settled" : "kept"));
  }

  /** Whoever needs the outcome asks for a sync of his own, and hears of the failure there. */
  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#needs.log.warn("cache.background", { why: describe(error) });
    });
  }

  /** The end of the start. */
  async settleIn(): Promise<void> {
    try {
      await this.#durable.settleIn();
      await this.#options.settled();
    } catch (cause) {
      await this.#log.close();
      if (this.#log.failure === undefined) throw cause;
      throw notOfIndex(cause, "cache.open", this.#log.directory);
    }
    this.#space.fit();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
