/**
 * What a tree tells of the policies that its folders go by, and what it does for them: a policy is
 * set, found, kept with the drive, and what lies under another one is sealed anew. Which peers
 * satisfy any of them is nothing that it knows.
 */
import type { SlotName } from "../base/blocks.ts";
import { rootIno } from "../base/ids.ts";
import type { StandInMaker } from "../base/stand-in.ts";
import type { Step } from "../base/step.ts";
import { nameOfSlot } from "../dag/policies.ts";
import type { ResealProgress, Resealer } from "./anew/resealing.ts";
import { attempt } from "./attempt.ts";
import { governorOf, slotNames, slotOf } from "./looking/slots.ts";
import { nodeAt, pathOf } from "./looking/walking.ts";
import {
  keptTexts,
  policyOf,
  refreshTexts,
  removePolicy,
  setPolicy,
} from "./names/folder-policy.ts";
import { StandIns } from "./stand-in/stand-in.ts";
import type { State } from "./state/state.ts";

export interface Governed extends StandInMaker {
  /** Seals anew what lies under another policy than its folder's: for the same loop. */
  readonly resealer: Step;
  /** Of what the resealer has to do; undefined when there is nothing. */
  resealing(): ResealProgress | undefined;
  /** The names behind the slots that blocks were put under. */
  policies(): readonly SlotName[];
  /** The policies' texts, as the drive keeps them for a machine that has none. */
  policyTexts(): Promise<ReadonlyMap<string, string>>;
  /** Keeps those texts that are others by now. */
  refreshPolicyTexts(): Promise<void>;
  /** Which policy a path goes by, and the folder that says so. */
  policyAt(path: readonly string[]): Promise<PolicyAt>;
  /** Nothing more is taken under these names, "" for the drive's default; with the reasons. */
  refuse(names: ReadonlyMap<string, string>): void;
  /** As by its extended attribute; null takes it away, if it has one. */
  setPolicy(path: readonly string[], name: string | null): Promise<void>;
}

export interface PolicyAt {
  /** Undefined for the drive's default. */
  readonly name: string | undefined;
  /** The way to it; undefined for a file of several names, which belongs to no folder. */
  readonly folder: readonly string[] | undefined;
}

export function governedPart(state: State, resealer: Resealer): Governed {
  const standIns = new StandIns(state);
  return {
    standIn: (asked) => standIns.standIn(asked),
    resealer: resealer.step(),
    resealing: () => resealer.progress,
    policies: () => slotNames(state),
    policyTexts: () => keptTexts(state),
    refreshPolicyTexts: () => refreshTexts(state),
    refuse: (names) => void (state.refused = names),
    setPolicy: async (path: readonly string[], name: string | null) => {
      const node = await nodeAt(state, path);
      await attempt(() => {
        if (name !== null) setPolicy(state, node, { value: Buffer.from(name), mode: "any" });
        else if (policyOf(state, node) !== undefined) removePolicy(state, node);
      });
      await state.needs.store.syncRecords();
    },
    async policyAt(path: readonly string[]) {
      const node = await nodeAt(state, path);
      const governor = governorOf(node);
      const { policy } = governor.inode;
      const slot = governor.ino === rootIno ? policy : slotOf(state, node);
      const isFolder = governor.inode.content.kind === "directory";
      const folder = isFolder ? pathOf(governor) : undefined;
      return { name: nameOfSlot(state.policies, slot), folder };
    },
  };
}
