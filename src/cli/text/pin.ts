/** How far pinned files are on this machine, in words: for the status, and for whoever waits. */
import type { PinStatus } from "../../base/views/drive.ts";
import { sizeText } from "../output.ts";

export function pinLines(pins: PinStatus | null): string[] {
  if (pins === null) return [];
  const { files, hereBytes, missingBytes, waitingFor, isSettled } = pins;
  const why = waitingFor === null ? "" : ` (${whyText(pins)})`;
  const left = isSettled ? "" : `, ${sizeText(missingBytes)} to come${why}`;
  return [
    `pinned     ${files} files, ${sizeText(hereBytes)} here${left}`,
    ...(pins.overBytes === 0 ? [] : [`           ${overText(pins)}`]),
  ];
}

/** How much of it is here, in percent. */
export function pinPercent({ hereBytes, missingBytes, isSettled }: PinStatus): number {
  if (isSettled) return 100;
  return Math.floor((hereBytes / Math.max(1, hereBytes + missingBytes)) * 100);
}

/** What is pinned does not fit: the figures, and what to do about it. */
export function overText({ hereBytes, missingBytes, pinnedBytesMax }: PinStatus): string {
  const wanted = sizeText(hereBytes + missingBytes);
  return (
    `${wanted} are pinned, and pins may take ${sizeText(pinnedBytesMax)} of the local store: ` +
    "raise its limit (hive cache --limit), or unpin something"
  );
}

export function whyText({ waitingFor, pinnedBytesMax }: PinStatus): string {
  switch (waitingFor) {
    case "room":
      return `waits for room: pins may take ${sizeText(pinnedBytesMax)}`;
    case "peers":
      return "waits for peers that have it";
    case "policy":
      return "the policy does not let this machine keep it";
    case null:
      return "on its way";
  }
}
