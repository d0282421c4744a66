/**
 * `user.hive.policy`: the name of a folder's policy, as an extended attribute that any program may
 * read, set and remove. In the inode it is a slot, so looking for a folder's policy never waits.
 *
 * A name gets its slot when it is first used, together with the text behind it, which is kept in
 * the drive: a machine that has nothing but the 24 words knows what every folder asks for. Nothing
 * goes by a slot before it is durable: a crash must not leave blocks of a slot without a name.
 */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { DrivePolicies } from "../../dag/policies.ts";
import { encodeTexts, isPolicyName, nameOfSlot, parseTexts } from "../../dag/policies.ts";
import { Wanted, attempt } from "../attempt.ts";
import { handThenLink } from "../content/handing.ts";
import { isDirectory } from "../looking/names.ts";
import { slotOf } from "../looking/slots.ts";
import type { HandedChunk } from "../state/blocks.ts";
import type { Change } from "../state/journal.ts";
import type { Node } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";

export const policyXattr = "user.hive.policy";

/** Undefined where the folder goes by the one above it. */
export function policyOf(state: State, { inode }: Node): Buffer | undefined {
  if (inode.content.kind !== "directory") return undefined;
  const name = nameOfSlot(state.policies, inode.policy);
  return name === undefined ? undefined : Buffer.from(name, "latin1");
}

export function setPolicy(
  state: State, node: Node,
  { value, mode }: { readonly value: Uint8Array; readonly mode: "any" | "create" | "replace" },
): void {
  state.mayChange();
  if (!isDirectory(node)) throw new HiveError("Invalid", "tree.policy", "only folders have one");
  const has = node.inode.policy > 0;
  if (has && mode === "create") throw new HiveError("Exists", "tree.policy", policyXattr);
  if (!has && mode === "replace") throw new HiveError("NoData", "tree.policy", policyXattr);
  govern(state, node, slotNamed(state, Buffer.from(value).toString("latin1")));
}

export function removePolicy(state: State, node: Node): void {
  state.mayChange();
  const has = policyOf(state, node) !== undefined;
  if (!has) throw new HiveError("NoData", "tree.policy", policyXattr);
  govern(state, node, 0);
}

/** What lies below and has to follow is told in the same record: a crash forgets neither. */
function govern(state: State, node: Node, policy: number): void {
  const before = slotOf(state, node);
  const { home } = node;
  const above = home.kind === "entry" ? slotOf(state, home.parent) : 0;
  // The root's own names what slot 0 is, and nothing has to be sealed anew.
  const after = home.kind !== "entry" || policy === 0 ? above : policy;
  const follows = after !== before;
  record(state, [
    inodeChange(state, node, { policy, ctime: state.now() }),
    ...(follows ? [resealingChange(state)] : []),
  ]);
  if (follows) state.reseal(node);
}

export function resealingChange(state: State): Change {
  return { kind: "policies", policies: { ...state.policies, resealing: true } };
}

/** The slot that is behind this name; Wanted when it is new; Invalid when nobody knows the name. */
function slotNamed(state: State, name: string): number {
  const at = state.policies.names.indexOf(name);
  if (at >= 0 && at < state.namesKept) return at + 1;
  if (at >= 0) throw new Wanted(() => keepNames(state));
  const text = isPolicyName(name) ? state.needs.policies?.(name) : undefined;
  if (text === undefined) throw new HiveError("Invalid", "tree.policy", `no policy ${name}`);
  if (state.policies.names.length >= limits.policy.slotsMax) {
    throw new HiveError("NoSpace", "tree.policy", "names of policies");
  }
  throw new Wanted(() => learn(state, new Map([[name, text]])));
}

async function keepNames(state: State): Promise<void> {
  const { length } = state.policies.names;
  await state.needs.store.sync();
  state.namesKept = Math.max(state.namesKept, length);
}

/** The texts that the drive keeps, by the names of its slots. */
export async function keptTexts(state: State): Promise<ReadonlyMap<string, string>> {
  const { texts } = state.policies;
  if (texts === undefined) return new Map();
  return attempt(() => parseTexts(state.blocks.chunk(texts)));
}

/** Keeps these texts, and gives a slot to each name that has none. */
export async function learn(state: State, more: ReadonlyMap<string, string>): Promise<void> {
  const before = state.policies;
  const texts = new Map([...await keptTexts(state), ...more]);
  const bytes = encodeTexts(texts);
  if (bytes.length > limits.tree.chunkBytes) {
    throw new HiveError("NoSpace", "tree.policy", "the texts of policies");
  }
  const hand = (): readonly HandedChunk[] => state.blocks.putChunks([bytes], { slot: 0 });
  const isLearnt = await handThenLink(state, hand, ([chunk]) => {
    // Whoever was quicker has other names: the caller begins again.
    if (state.policies !== before || chunk === undefined) return false;
    const names = [...new Set([...before.names, ...more.keys()])];
    const policies: DrivePolicies = { ...before, names, texts: chunk.link };
    record(state, [{ kind: "policies", policies }]);
    return true;
  });
  if (isLearnt) await keepNames(state);
}

/** Texts that were edited since take the place of those that are kept. */
export async function refreshTexts(state: State): Promise<void> {
  const kept = await keptTexts(state);
  const changed = new Map<string, string>();
  for (const name of state.policies.names) {
    const text = state.needs.policies?.(name);
    if (text !== undefined && text !== kept.get(name)) changed.set(name, text);
  }
  if (changed.size > 0) await learn(state, changed);
}
