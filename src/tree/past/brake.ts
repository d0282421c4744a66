/**
 * The brake: when too much of the drive is lost at once, what there is from then on stays on this
 * machine, and what there was before stays with the peers, until somebody says whether it was
 * meant. A crash does not release it: the root before is kept, and says why.
 *
 * It holds nobody up: programs go on, as far as the store has room for what does not go up.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { describe } from "../../base/log.ts";
import type { BrakeRule, BrakeStatus, MassChange, RestoreReport } from "../../base/snapshots.ts";
import type { DriveBrake } from "../../base/snapshots.ts";
import { type Inode, fileType, typeMask } from "../../dag/inodes.ts";
import type { KeptRoot } from "../../dag/kept.ts";
import type { Commits } from "../commit/commit.ts";
import { type Node, notCounted } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { MassChangeWatch } from "./mass-change.ts";
import type { Past } from "./past.ts";
import type { Changed } from "./restoring.ts";
import { nameOf } from "./snapshot-names.ts";

export class Brake implements Pick<DriveBrake, "status" | "goOn"> {
  readonly #watch: MassChangeWatch;
  readonly #state: State;
  readonly #commits: Commits;
  #status: BrakeStatus | undefined;
  #engaging: Promise<void> = Promise.resolve();

  constructor(state: State, commits: Commits, rule: BrakeRule | undefined) {
    this.#state = state;
    this.#commits = commits;
    this.#watch = new MassChangeWatch(() => state.needs.clock.now(), rule);
    state.changing = (node, inode) => this.#see(node, inode);
  }

  /** True while nothing may go up. */
  get isOn(): boolean {
    return this.#status !== undefined;
  }

  status(): BrakeStatus | null {
    return this.#status ?? null;
  }

  /** What was braked before this process began still is. */
  async begin(): Promise<void> {
    try {
      const before = await this.#before();
      if (before !== undefined) this.#status ??= { change: null, before: nameOf(before) };
    } catch (error) {
      // The list is with peers, so this machine never held anything back.
      if (!isFault(error, "Unavailable")) throw error;
    }
  }

  async goOn(): Promise<void> {
    await this.#engaging;
    const before = await this.#before();
    if (before === undefined && !this.isOn) throw nothingHeld();
    this.#watch.reset();
    this.#status = undefined;
    if (before === undefined) return;
    this.#commits.kept.mark(before.root, "rule");
    await this.#publish();
  }

  async undo(past: Past, changed: Changed): Promise<RestoreReport> {
    await this.#engaging;
    const before = await this.#before();
    if (before === undefined) throw nothingHeld();
    const report = await past.restore(nameOf(before), [], { exact: true, changed });
    await this.goOn();
    return report;
  }

  /** Every change of an inode passes here: a look at two fields, for all but losses. */
  #see(node: Node, inode: Inode): void {
    const kind = lossOf(node, inode);
    if (kind === undefined || this.isOn) return;
    const { seconds } = node.inode.btime;
    const wasCounting = this.#watch.isCounting;
    const filesNow = this.#state.totals.files - (kind === "deleted" ? 1 : 0);
    const change = this.#watch.see({ ino: node.ino, kind, madeAtMs: seconds * 1000, filesNow });
    if (!wasCounting && this.#watch.isCounting) this.#commits.kept.hold();
    if (change === undefined) return;
    this.#status = { change, before: null };
    this.#engaging = this.#engage(change).catch((error: unknown) => {
      this.#state.needs.log.warn("tree.brake", { failed: describe(error) });
    });
  }

  /** The newest root from before the first loss is kept for good, and says why. */
  async #engage(change: MassChange): Promise<void> {
    const { deleted, overwritten, files, sinceMs } = change;
    this.#state.needs.log.warn("tree.brake", { deleted, overwritten, files });
    const { kept } = this.#commits;
    const roots = (await kept.all({ mayFetch: true })).map(({ root }) => root);
    const known = kept.last === undefined ? roots : [...roots, kept.last];
    const before = known.filter(({ committedAtMs }) => committedAtMs <= sinceMs).at(-1);
    if (before === undefined) return;
    kept.mark(before, "brake");
    await this.#publish();
    const found = await this.#before();
    if (found !== undefined) this.#status = { change, before: nameOf(found) };
  }

  async #before(): Promise<KeptRoot | undefined> {
    const kept = await this.#commits.kept.all({ mayFetch: false });
    return kept.find(({ why }) => why === "brake");
  }

  async #publish(): Promise<void> {
    this.#state.mark();
    await this.#commits.settle();
  }
}

/** What a file loses by becoming this. */
function lossOf(node: Node, inode: Inode): "deleted" | "overwritten" | undefined {
  const isFile = (inode.mode & typeMask) === fileType.regular;
  if (!isFile || node.countedBytes === notCounted) return undefined;
  if (inode.links === 0) return "deleted";
  const isOther = node.inode.content !== inode.content && node.countedBytes > 0;
  return isOther ? "overwritten" : undefined;
}

function nothingHeld(): HiveError {
  return new HiveError("NotFound", "tree.brake", "nothing is held back");
}
