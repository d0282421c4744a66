/**
 * What the members of this drive's groups did while none of its machines was there: their logs,
 * each checked entry by entry against the manifest that it goes on from. Groups is told, so that
 * shards are sought where they are now; to make it the owner's own is for agent/adopt.ts.
 */
import { sameBytes } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import type { GuardNetwork } from "../../base/guard.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Manifest } from "../../base/records.ts";
import { type Standing, forkOf, perjurersOf, standingOf } from "../../guard/log.ts";
import { decodeWord, encodeName } from "../../guard/messages.ts";
import type { Groups } from "./groups.ts";

export interface LogNeeds {
  readonly network: PeerNetwork & Partial<GuardNetwork>;
  readonly groups: Groups;
  readonly log: Log;
}

/** Asks the members of every group. */
export async function learnLogs(needs: LogNeeds, signal: AbortSignal): Promise<void> {
  // At once: members that are away cost a call's time each, and are mostly the same ones.
  await Promise.all(needs.groups.all().map(async (manifest) => {
    const told = await ask(needs, manifest, signal);
    const longest = longestOf(needs, told);
    if (longest !== undefined) needs.groups.hear(longest);
  }));
}

async function ask(
  { network, groups, log }: LogNeeds, manifest: Manifest, signal: AbortSignal,
): Promise<readonly Standing[]> {
  const name = encodeName(manifest);
  const members = new Set([...manifest.peers, ...groups.seated(manifest).peers]);
  members.delete(network.self);
  const told = await Promise.all([...members].map(async (peer) => {
    try {
      const answer = await network.guard?.(peer, "word", name, { signal });
      return answer === undefined ? undefined : await believed(groups, manifest, answer);
    } catch (error) {
      if (!isFault(error)) throw error;
      log.debug("transfer.log.unheard", { peer, why: describe(error) });
      return undefined;
    }
  }));
  signal.throwIfAborted();
  return told.filter((standing) => standing !== undefined);
}

/** Undefined for what goes on from another manifest than ours; a newer one is another device's. */
async function believed(
  groups: Groups, manifest: Manifest, answer: Uint8Array,
): Promise<Standing | undefined> {
  const word = decodeWord(answer);
  const { owner, group, bytes } = word.manifest;
  if (owner !== manifest.owner || group !== manifest.group) return undefined;
  await groups.adopt(word.manifest);
  return sameBytes(bytes, manifest.bytes) ? standingOf(manifest, word.log) : undefined;
}

/** Of two that contradict each other neither is taken, and who signed both is named. */
function longestOf({ log }: LogNeeds, told: readonly Standing[]): Standing | undefined {
  const longest = told.toSorted((a, b) => b.log.length - a.log.length)[0];
  if (longest === undefined) return undefined;
  for (const other of told) {
    const at = forkOf(longest.log, other.log);
    const [one, two] = at === undefined ? [] : [longest.log[at], other.log[at]];
    if (one === undefined || two === undefined) continue;
    const liars = perjurersOf(one, two).join(" ");
    log.warn("transfer.log.forked", { group: longest.manifest.group, liars });
    return undefined;
  }
  return longest;
}
