/**
 * Before a merge links what another device told of directly: each block of its files is here, as
 * dirty as if it had been written here, or has a place with peers. So no root of this device ever
 * names what nobody but the other one has. Pages of its folders are only looked at, and not kept.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import type { Loan } from "../../base/devices.ts";
import { HiveError } from "../../base/errors.ts";
import { type Cid, cidOf } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isLost, parseLink } from "../../dag/chunks.ts";
import { type PageTree, mixedSlot } from "../../dag/inodes.ts";
import { childOf } from "../../dag/pages.ts";
import type { Page } from "../../dag/pages.ts";
import type { Elsewhere } from "../state/blocks.ts";
import type { State } from "../state/state.ts";
import type { Step } from "./apply.ts";

const { lentAtOnce, lentBlocksMax, lentBytesMax } = limits.devices;

interface Wanted {
  readonly cid: Cid;
  /** At most, as far as its link tells. */
  readonly lengthBytes: number;
  readonly slot: PolicySlot;
}

export class Loans {
  readonly elsewhere: Elsewhere;
  readonly #state: State;
  readonly #loan: Loan;
  /** Peers have these. */
  readonly #placed = new Set<Cid>();

  constructor(state: State, loan: Loan) {
    this.#state = state;
    this.#loan = loan;
    const { lender, from } = loan;
    this.elsewhere = async (cid) => checked(cid, await lender.borrow(cid, { from, isKept: false }));
  }

  /** Takes over what these steps link; durable when it resolves. */
  async bring(steps: readonly Step[]): Promise<void> {
    const { blocks, needs: { store } } = this.#state;
    const wanted = new Map<Cid, Wanted>();
    for await (const one of this.#linkedBy(steps)) {
      if (!blocks.has(one.cid)) wanted.set(one.cid, one);
    }
    if (wanted.size === 0) return;
    const unplaced = await this.#loan.lender.unplaced([...wanted.keys()]);
    const lacking = unplaced.flatMap((cid) => wanted.get(cid) ?? []);
    this.#refuseMuch(lacking);
    await inLanes(lacking, (one) => this.#take(one));
    await store.sync();
    const taken = new Set(unplaced);
    for (const cid of wanted.keys()) if (!taken.has(cid)) this.#placed.add(cid);
  }

  /** Again while nobody changes anything: what is to be done may be more by now. */
  async check(steps: readonly Step[]): Promise<void> {
    const { blocks } = this.#state;
    for await (const { cid } of this.#linkedBy(steps)) {
      if (blocks.has(cid) || this.#placed.has(cid)) continue;
      throw new HiveError("Busy", "tree.merge", `${cid} is not here yet`);
    }
  }

  async #take({ cid, slot }: Wanted): Promise<void> {
    const { lender, from } = this.#loan;
    const bytes = checked(cid, await lender.borrow(cid, { from, isKept: true }));
    await this.#state.needs.store.put(cid, bytes, { slot });
  }

  #refuseMuch(lacking: readonly Wanted[]): void {
    const bytes = lacking.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    const { dirtyBytes, dirtyBytesMax } = this.#state.needs.store.usage();
    const isMuch = lacking.length > lentBlocksMax || bytes > lentBytesMax;
    if (!isMuch && dirtyBytes + bytes <= dirtyBytesMax / 2) return;
    throw new HiveError("TooLarge", "tree.merge", `${bytes} bytes that no peer has yet`);
  }

  /** Blocks that our tree would name after these steps, and does not name for them now. */
  async *#linkedBy(steps: readonly Step[]): AsyncGenerator<Wanted> {
    for (const { before, after } of steps) {
      if (after === undefined) continue;
      const { inode, tree } = after;
      const { xattrs, content } = inode;
      const isOther = xattrs.kind === "block" && xattrs !== before?.inode.xattrs;
      const hasTree = content.kind === "chunks" && tree !== before?.tree;
      if (!isOther && !hasTree) continue;
      if (inode.slot === mixedSlot) throw new HiveError("Unsupported", "tree.merge", "mixed slots");
      const { slot } = inode;
      if (isOther) yield { cid: xattrs.link.cid, lengthBytes: xattrs.link.lengthBytes, slot };
      if (hasTree) yield* this.#blocksOf(tree, slot);
    }
  }

  async *#blocksOf(tree: PageTree, slot: PolicySlot): AsyncGenerator<Wanted> {
    const { root } = tree;
    if (root.kind === "inside") yield* linksIn(root.page, slot);
    if (root.kind === "page") yield* this.#below(tree, root, slot);
  }

  async *#below(
    tree: PageTree, { cid, level }: { readonly cid: Cid; readonly level: number }, slot: PolicySlot,
  ): AsyncGenerator<Wanted> {
    yield { cid, lengthBytes: limits.tree.pageBytesMax, slot };
    const page = await this.#state.blocks.loadPage(tree, cid, level, this.elsewhere);
    if (level === 0) return yield* linksIn(page, slot);
    for (const at of page.keys.keys()) {
      yield* this.#below(tree, { cid: childOf(page, at), level: level - 1 }, slot);
    }
  }
}

function* linksIn(page: Page, slot: PolicySlot): Generator<Wanted> {
  for (const value of page.values()) {
    const link = parseLink(value);
    if (!isLost(link)) yield { cid: link.cid, lengthBytes: link.lengthBytes, slot };
  }
}

function checked(cid: Cid, bytes: Uint8Array): Uint8Array {
  if (cidOf(bytes) === cid) return bytes;
  throw new HiveError("Corrupt", "tree.merge", `${cid}: other bytes`);
}

/** A few at a time, until one fails. */
async function inLanes<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await act(item);
  };
  await Promise.all(Array.from({ length: lentAtOnce }, lane));
}
