/** What `hive watch --list --json` says of each folder that is backed up. */
import type { Test } from "tap";
import type { Machine } from "./cli.ts";

export interface WatchStatus {
  readonly directory: string;
  readonly into: string;
  readonly state: string;
  readonly copied: number;
  readonly problem: string | null;
  readonly waitingFor: string | null;
}

export async function watchStatuses(t: Test, machine: Machine): Promise<readonly WatchStatus[]> {
  const ran = await machine.must(t, ["watch", "--list", "--json"]);
  return JSON.parse(ran.out) as readonly WatchStatus[];
}
