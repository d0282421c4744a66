/**
 * A folder of somebody else's, as two devices of one person have it who writes it on both. Each has
 * a tree of it alone, and what either did counts as it does among the devices of a drive. But both
 * have but the folder: a thing may have been made long before it came there, so what came in with a
 * folder above it is news to the one that has not seen that (arrivals.ts). Contents stay where
 * they are, under the other device's keys, until the owner has taken them over.
 */
import { withArrivals } from "./arrivals.ts";
import type { Side } from "./facts.ts";
import { WholeFolder } from "./whole-folder.ts";

export class KinMeeting extends WholeFolder {
  protected oursOf(side: Side): Side {
    return withArrivals(side, this.folder.ino);
  }
}
