/** Which daemon runs here: that of a mounted drive, or a peer without a mount. */
import { existsSync } from "node:fs";
import { systemClock as clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { DriveStatus, NodeStatus } from "../../base/views/drive.ts";
import type { Home } from "../home/home.ts";
import { askStatus, endingOp, unknownCommand } from "./control.ts";

/** To close a store takes no longer, or somebody has to look after it. */
const endingWaitMs = 60_000;
const endingPauseMs = 50;

type Running = DriveStatus | NodeStatus;

export function isDrive(found: Running): found is DriveStatus {
  return "mount" in found;
}

/** Of the mounted drive; a peer without a mount refuses it as it does what it was asked for. */
export async function askDrive({ socket }: Home, command: string): Promise<DriveStatus> {
  const found = (await askStatus(socket)) as Running;
  if (isDrive(found)) return found;
  throw unknownCommand(command);
}

/** Undefined when none runs here; one that is about to end is waited for. */
export async function runningAt(home: Home): Promise<Running | undefined> {
  const untilMs = clock.monotonicMs() + endingWaitMs;
  while (existsSync(home.socket)) {
    try {
      return (await askStatus(home.socket)) as Running;
    } catch (error) {
      if (isFault(error, "TimedOut")) throw error;
      const isEnding = isFault(error, "Unavailable") && error.op === endingOp;
      if (!isEnding || clock.monotonicMs() > untilMs) return undefined;
    }
    await clock.delay(endingPauseMs);
  }
  return undefined;
}
