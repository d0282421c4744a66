/**
 * An upload round by policy: blocks of one slot travel in segments of their own, to groups that
 * were drawn for its name. A lane whose policy nobody can satisfy now keeps no other one waiting.
 * It remembers and decides nothing else: `upload` fills segments and sends them.
 */
import { type BlockInfo, type PolicySlot, type SlotName, unknownSlot } from "../../base/blocks.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { Manifest } from "../../base/records.ts";
import type { Groups } from "../groups/groups.ts";
import { wholeDrive } from "../groups/policies.ts";
import { type Waiting, notHere } from "../groups/waiting.ts";

export interface Lane {
  readonly slot: PolicySlot;
  /** Undefined where nobody knows it: then nothing may be placed. */
  readonly name: string | undefined;
  /** In the order in which they were written. */
  readonly blocks: readonly BlockInfo[];
  /** How many of them are on their way. */
  from: number;
  /** Why it does not go on. */
  waiting: LaneWaiting | undefined;
}

export type LaneWaiting = Extract<Waiting, { readonly for: "peers" | "members" | "policy" }>;

/** What waits of one policy, for the status. */
export interface LaneStatus {
  readonly name: string | undefined;
  readonly pendingBlocks: number;
  readonly pendingBytes: number;
  readonly waiting: LaneWaiting | undefined;
}

/** One lane for each slot, the default's first. */
export function lanesOf(
  blocks: readonly BlockInfo[], policies: readonly SlotName[] = [],
): readonly Lane[] {
  const bySlot = new Map<PolicySlot, BlockInfo[]>();
  for (const block of blocks) {
    const slot = slotIn(block, policies);
    const lane = bySlot.get(slot);
    if (lane === undefined) bySlot.set(slot, [block]);
    else lane.push(block);
  }
  const names = new Map(policies.map(({ slot, name }) => [slot, name]));
  const slots = [...bySlot.keys()].sort((a, b) => a - b);
  return slots.map((slot) => {
    const name = slot === 0 ? wholeDrive : names.get(slot);
    return { slot, name, blocks: bySlot.get(slot) ?? [], from: 0, waiting: undefined };
  });
}

/** Where all folders go by the default, so does what nobody knows of. */
function slotIn({ slot = 0 }: BlockInfo, policies: readonly SlotName[]): PolicySlot {
  const isPlain = policies.every((named) => named.slot === 0);
  return slot === unknownSlot && isPlain ? 0 : slot;
}

export function isLaneDone({ blocks, from }: Lane): boolean {
  return from >= blocks.length;
}

export function laneStatus({ name, blocks, from, waiting }: Lane): LaneStatus {
  const pending = blocks.slice(from);
  const pendingBytes = pending.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  return { name, pendingBlocks: pending.length, pendingBytes, waiting };
}

/** The lane's group, or undefined with the reason in the lane. */
export async function groupFor(
  lane: Pick<Lane, "name" | "waiting">,
  groups: Pick<Groups, "forNewSegments" | "law">,
): Promise<Manifest | undefined> {
  try {
    if (lane.name === undefined) throw new HiveError("NotFound", "transfer.lane", "no name");
    const found = await groups.forNewSegments(lane.name);
    if (!("peers" in found)) lane.waiting = { for: "peers", ...found };
    else lane.waiting = groups.law.mayHere("encode", found) ? undefined : notHere("encode");
    return "peers" in found && lane.waiting === undefined ? found : undefined;
  } catch (error) {
    if (!isFault(error, "NotFound")) throw error;
    const whose = lane.name === undefined ? "some blocks" : lane.name;
    lane.waiting = { for: "policy", why: `no text of the policy of ${whose} is on this machine` };
    return undefined;
  }
}

/** A lane that goes on where another stopped waits for the same, until it is judged anew. */
export function keepWaiting(lanes: readonly Lane[], before: readonly Lane[]): void {
  for (const lane of lanes) {
    lane.waiting ??= before.find(({ slot }) => slot === lane.slot)?.waiting;
  }
}

/** What the first lane in need waits for: the others are told one by one. */
export function waitingOf(lanes: readonly Lane[]): LaneWaiting | undefined {
  return lanes.find((lane) => !isLaneDone(lane) && lane.waiting !== undefined)?.waiting;
}
