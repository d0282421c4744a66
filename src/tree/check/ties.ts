/**
 * Whether what the drive knows of other people can still be read. Where a piece of it is lost for
 * good the next root has none: each device that was there has all of it in its books as well, and
 * tells it anew.
 */
import { isFault } from "../../base/errors.ts";
import { type ChunkLink, isLost } from "../../dag/chunks.ts";
import { noTieLinks } from "../../dag/ties.ts";
import { attempt } from "../attempt.ts";
import type { CheckState } from "./state.ts";

/** Answers the links that the next root has. */
export async function checkTies(
  check: CheckState, links: readonly ChunkLink[],
): Promise<readonly ChunkLink[]> {
  for (const link of links) {
    if (!await isGone(check, link)) continue;
    const words = "contacts and shares are lost; a device that knew them tells them anew";
    check.report({ what: "sharing", path: null, words, mended: true, loss: true });
    return noTieLinks;
  }
  return links;
}

async function isGone(check: CheckState, link: ChunkLink): Promise<boolean> {
  if (isLost(link)) return true;
  try {
    await attempt(() => check.blocks.chunk(link));
    return false;
  } catch (error) {
    if (!isFault(error, "Unavailable", "Corrupt")) throw error;
  }
  const where = await check.whereIs(link.cid);
  if (where === "peers") check.accounts.elsewhere++;
  return where === "nowhere";
}
