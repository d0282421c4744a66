/**
 * What is wrong with where a policy's shards lie, by what everybody's disks say. It shares no line
 * with the product's judge, asks no node anything, and knows what the plan of the world says.
 */
import type { PeerId } from "../../../src/base/ids.ts";
import type { Dweller } from "../../../test/support/world-plan.ts";
import { broken, classes, householdsOf } from "../../../test/support/world-truth.ts";
import type { Row } from "./policies.ts";

/** What is written under each policy. */
export const fileBytes = 300_000;

/** A segment. */
export interface Placed {
  readonly name: string;
  readonly group: string;
  readonly k: number;
  readonly n: number;
  readonly shardBytes: number;
  readonly roots: readonly string[];
  /** Who has each of them, as the owner believes. */
  readonly holders: readonly (PeerId | undefined)[];
}

/** What the disks say of one policy. */
export interface Found {
  readonly name: string;
  readonly shards: number;
  readonly holders: number;
  readonly violations: readonly string[];
}

/** What is wrong with where a policy's shards lie. */
export function judgeRow(
  { name, rule, waits = false }: Row,
  { placed, holders, dwellers }: {
    readonly placed: readonly Placed[];
    readonly holders: ReadonlyMap<string, readonly Dweller[]>;
    readonly dwellers: readonly Dweller[];
  },
): Found {
  const mine = placed.filter((one) => one.name === name);
  const homes = householdsOf(dwellers);
  const held = ({ roots }: Placed) => roots.map((root) => holders.get(root) ?? []);
  const alike = new Set(sharedRoots(placed));
  // A segment's own are all its members, if those of filler are counted where it put them.
  const own = ({ roots, holders: owed }: Placed) => roots.flatMap((root, index) => {
    const those = holders.get(root) ?? [];
    return alike.has(root) ? those.filter(({ peer }) => peer === owed[index]) : those;
  });
  const shards = mine.flatMap(held).reduce((sum, those) => sum + those.length, 0);
  const everybody = new Set(mine.flatMap((one) => held(one).flat()));
  if (waits) {
    const violations = shards === 0 ? [] : [`${shards} shards, where none may be`];
    return { name, shards, holders: everybody.size, violations };
  }
  const [, n] = classes[rule.class] as readonly [number, number, number];
  const room = mine.reduce((sum, { k, shardBytes }) => sum + k * shardBytes, 0);
  const groups = Map.groupBy(mine, ({ group }) => group);
  const violations = [
    ...(room >= fileBytes ? [] : [`room for ${room} bytes only`]),
    ...mine.flatMap((one) => {
      const missing = held(one).filter((those) => those.length === 0).length;
      return missing === 0 && one.n === n ? [] : [`${missing} of ${one.n} shards are nowhere`];
    }),
    ...[...groups.values()].flatMap((those) => {
      const members = [...new Set(those.flatMap(own))];
      const numbers = members.map(({ number }) => number).join(" ");
      return broken(members, rule, homes).map((words) => {
        return `${words}: ${those.length} segments with peers ${numbers}`;
      });
    }),
  ];
  return { name, shards, holders: everybody.size, violations };
}

/**
 * Of shards that are byte for byte the same, as those of nothing but filler are: a file on a disk
 * does not tell which of them it is.
 */
export function sharedRoots(placed: readonly Placed[]): readonly string[] {
  const seen = new Map<string, number>();
  for (const root of placed.flatMap(({ roots }) => roots)) seen.set(root, (seen.get(root) ?? 0) + 1);
  return [...seen].filter(([, count]) => count > 1).map(([root]) => root);
}
