/** What `hive status` says to a person. */
import { oneLine } from "../../base/harmless.ts";
import type { DriveStatus, NodeStatus } from "../../base/views/drive.ts";
import { brakeText, movingText, sizeText, timeText, trafficLines } from "../output.ts";
import { heldText } from "./held.ts";
import { pinLines } from "./pin.ts";

export function statusText(found: DriveStatus, nowMs: number): string {
  const { segments, peers: known } = found;
  const proven = found.lastProvenAt === null ? "never yet" : found.lastProvenAt;
  return [
    `mount      ${found.mount} (${found.isMounted ? found.state : "taken off, and in use"})`,
    ...(found.trouble === null ? [] : [`trouble    ${found.trouble}`]),
    ...(found.brake === null ? [] : [`held back  ${brakeText(found.brake)}`]),
    ...found.alerts.map((alert) => `alert      ${alertText(alert)}`),
    `safety     ${safetyText(found)}`,
    `segments   ${segments.healthy} healthy, ${segments.degraded} degraded, ${segments.lost} lost`,
    `proven     ${proven}`,
    ...partLines(found, nowMs),
    ...repairLines(found),
    ...policyLines(found.policy).map((words) => `policy     ${words}`),
    `to upload  ${sizeText(found.dirtyBytes)}${waitingText(found)}`,
    ...trafficLines(found.traffic),
    ...queueLines(found),
    ...heldLines(found),
    ...lackingLines(found),
    ...resealLines(found),
    ...pinLines(found.pins),
    `cache      ${sizeText(found.cacheBytes)} of ${sizeText(found.cacheLimitBytes)}`,
    `peers      ${known.online} online of ${known.known} known`,
    ...owedLines(found),
  ].map(oneLine).join("\n");
}

/** Of a peer without a mount: what others have of it. */
export function nodeText({ peer, vault, peers: known, traffic, owed }: NodeStatus): string {
  const { usedBytes, shards, quotaBytes } = vault;
  return [
    `peer       ${peer}, without a mount`,
    `kept       ${sizeText(usedBytes)} of ${sizeText(quotaBytes)} for others, in ${shards} shards`,
    ...trafficLines(traffic),
    `peers      ${known.online} online of ${known.known} known`,
    ...owedLines({ owed }),
  ].map(oneLine).join("\n");
}

function owedLines({ owed }: Pick<NodeStatus, "owed">): string[] {
  if (owed === null) return [];
  const peers = owed.peers === 1 ? "1 peer wants" : `${owed.peers} peers want`;
  return [`owed       ${peers} ${sizeText(owed.bytes)} more kept for others (hive ledger)`];
}

function policyLines({ problem, moving, stuck, notHere }: DriveStatus["policy"]): string[] {
  const groups = stuck === 1 ? "1 group lies" : `${stuck} groups lie`;
  return [
    ...(problem === null ? [] : [`${problem}; what it said before holds`]),
    ...moving.map(movingText),
    ...(stuck === 0 ? [] : [`${groups} against it: too few peers satisfy it`]),
    ...notHere.map(({ policy, activities }) => {
      return `${policy} does not let this machine ${activities.join(", ")}`;
    }),
  ];
}

function waitingText({ waitingFor }: DriveStatus): string {
  return waitingFor === null ? "" : ` (waits for ${waitingFor})`;
}

/** What waits, by policy, where folders go by several. */
function queueLines({ queues }: DriveStatus): string[] {
  if (queues.every(({ policy }) => policy === null)) return [];
  return queues.map(({ policy, blocks, bytes, waitingFor }) => {
    const why = waitingFor === null ? "" : `; waits for ${waitingFor}`;
    return `  ${policy ?? "default"}: ${blocks} blocks, ${sizeText(bytes)}${why}`;
  });
}

/** What a machine that has only the words would find as it was, or not at all. */
function heldLines({ heldBack }: DriveStatus): string[] {
  if (heldBack === null) return [];
  return [`older      peers have all as it is now but ${heldText(heldBack)}: that waits`];
}

/** What goes up only when somebody else gives something for it, which may be never. */
function lackingLines({ lackingFiles }: DriveStatus): string[] {
  if (lackingFiles === null) return [];
  const { count, some } = lackingFiles;
  const named = some.map(({ path, bytes }) => `${path} (${sizeText(bytes)})`).join(", ");
  const more = count === some.length ? "" : ` and ${count - some.length} more files`;
  return [
    `waits      parts written in ${named}${more}: for a peer that has what lies around them`,
    "           they are safe here; if none ever has it, as hive verify PATH tells, rewrite or " +
      "remove the file",
  ];
}

function resealLines({ resealing }: DriveStatus): string[] {
  if (resealing === null) return [];
  const { owed, files, bytes, waitingFor } = resealing;
  const why = waitingFor === null ? "" : `; waits for ${waitingFor}`;
  const what = owed > 0 ? "under new keys" : "for other policies";
  return [`resealing  ${files} files, ${sizeText(bytes)} ${what} so far${why}`];
}

function safetyText(found: DriveStatus): string {
  const lack = found.class === null ? lackText(found) : undefined;
  if (lack !== undefined) return `kept on this machine only: ${lack}`;
  if (found.survives === null) return "nothing is on peers yet";
  const { holders, of } = found.away;
  const away = holders === 0 ? "" : ` (${holders} of ${of} away now)`;
  return `class ${found.class}, survives the loss of ${found.survives} more holders${away}`;
}

/** Households may be enough, and their spread not; undefined while nothing was to go to any. */
function lackText({ peers, waitingFor }: DriveStatus): string | undefined {
  const { households, householdsNeeded } = peers;
  if (households < householdsNeeded) return `${households} of ${householdsNeeded} peers needed`;
  return waitingFor === null ? undefined : `it waits for ${waitingFor}`;
}

function alertText({ policy, text }: DriveStatus["alerts"][number]): string {
  return policy === null ? text : `policy ${policy}: ${text}`;
}

/** Where the data is, and how safe what goes by each policy is, where there are several. */
function partLines({ parts }: DriveStatus, nowMs: number): string[] {
  const [only, ...more] = parts;
  if (only === undefined) return [];
  const isPlain = more.length === 0 && only.policy === null;
  if (isPlain) return [`where      ${whereText(only)}`];
  return parts.map((part) => {
    const { policy, survives, lastProvenAt, lacking } = part;
    const proven = lastProvenAt === null
      ? "not all proven yet" : `proven ${timeText((nowMs - Date.parse(lastProvenAt)) / 1000)} ago`;
    const repair = lacking.shards === 0 ? "" : `; ${lacking.shards} shards lack`;
    const safety = `class ${part.class ?? "?"}, survives ${survives} more, ${proven}`;
    return `  ${policy ?? "default"}: ${safety}, in ${whereText(part)}${repair}`;
  });
}

function whereText({ places, households }: DriveStatus["parts"][number]): string {
  const told = places.map(({ place, holders }) => `${place} ${holders}`).join(", ");
  return `${told} (${households === 1 ? "1 household" : `${households} households`})`;
}

function repairLines({ repair, parts, traffic }: DriveStatus): string[] {
  const lacking = parts.reduce((sum, part) => sum + part.lacking.shards, 0);
  if (repair === null) {
    return lacking === 0 ? [] : [`repairing  nothing now: ${lacking} shards lack, and may wait`];
  }
  const { shards, segments, secondsLeft } = repair;
  const what = `${shards} ${shards === 1 ? "shard" : "shards"} of ${segments} segments`;
  if (traffic.paused !== null) return [`repairing  ${what}, once the pause is over`];
  const time = secondsLeft === null ? "until when, cannot be told yet"
    : `about ${timeText(secondsLeft)} left`;
  return [`repairing  ${what}, ${time}`];
}
