/** What keeps an upload from going on, in words for people. Pure. */
import { wholeDrive } from "../../transfer/groups/policies.ts";
import type { TooFew, Waiting } from "../../transfer/groups/waiting.ts";
import type { LaneStatus } from "../../transfer/uploads/lanes.ts";

/** What people call a lane's policy: null for the default, "?" where nobody knows it. */
export function policyOfLane({ name }: Pick<LaneStatus, "name">): string | null {
  return name === undefined ? "?" : name === wholeDrive ? null : name;
}

/** The lanes for which there are too few peers, and why. */
export function unplacedOf(
  lanes: readonly LaneStatus[],
): readonly { readonly policy: string | null; readonly why: string }[] {
  return lanes.flatMap((lane) => {
    const why = lane.waiting?.for === "peers" ? waitingText(lane.waiting) : null;
    return why === null ? [] : [{ policy: policyOfLane(lane), why }];
  });
}

export function waitingText(waiting: Waiting): string | null {
  switch (waiting.for) {
    case "nothing":
      return null;
    case "peers":
      return `peers of enough households${colonBefore(lackOf(waiting, "online"))}`;
    case "policy":
    case "traffic":
      return waiting.why;
    case "members":
      return `holders: ${waiting.why}`;
    case "disk":
      return `this disk: ${waiting.spoiltBlocks} blocks are spoilt; hive fsck tells whose`;
  }
}

type Lack = Pick<TooFew, "clauses" | "bounds" | "needed">;

/** What too few peers come to, clause by clause; `which` of all there may be they are. */
export function lackText(lack: Lack, which: "online" | "known"): string {
  const first = lack.clauses[0]?.left ?? 0;
  return lackOf(lack, which) || `${first} are ${which}; ${lack.needed} are needed`;
}

/** Nothing where no clause is to blame. */
function lackOf(lack: Lack, which: string): string {
  return clausesText(lack, which) || boundsText(lack);
}

function colonBefore(words: string): string {
  return words === "" ? "" : `: ${words}`;
}

/** Which clause of the policy left how many, where it is the policy that leaves too few. */
function clausesText({ clauses, needed }: Lack, which: string): string {
  const first = clauses[0]?.left ?? 0;
  const told = clauses.filter(({ left }, at) => left < (clauses[at - 1]?.left ?? first));
  if (first < needed || told.length === 0) return "";
  const counts = told.map(({ clause, left }) => `${left} after ${clause}`);
  return `${first} are ${which}, ${counts.join(", ")}; ${needed} are needed`;
}

/** Where the peers would be enough, and their spread is not. */
function boundsText({ clauses, bounds, needed }: Lack): string {
  const isEnough = (clauses.at(-1)?.left ?? 0) >= needed;
  if (!isEnough || bounds.length === 0) return "";
  return bounds.map((bound) => `${bound.left} of ${bound.needed} by ${bound.clause}`).join(", ");
}
