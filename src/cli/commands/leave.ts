/**
 * `hive leave`: has the daemon give up what it keeps for others, and waits until the last of it is
 * with somebody else. The daemon goes on by itself when nobody waits.
 */
import { systemClock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import type { LeaveOrder, LeaveView } from "../../base/views/peers.ts";
import { type Arguments, askControl } from "../daemon/control.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { print, printJson, say, sizeText, timeText } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

/** A daemon is asked so often while somebody waits, and what it says is repeated so often. */
const askEveryMs = 1_000;
const sayEveryMs = 10_000;

export async function leave(home: Home, line: CommandLine): Promise<ExitCode> {
  const order = orderOf(line);
  const ask = async (one: LeaveOrder): Promise<LeaveView> =>
    (await askControl(home.socket, "leave", { order: one })) as LeaveView;
  const first = await ask(order);
  const seconds = line.count("timeout") ?? Infinity;
  const endMs = systemClock.monotonicMs() + seconds * 1000;
  const last = order === "begin" ? await waited(first, () => ask("status"), endMs) : first;
  if (line.flag("json")) printJson(last);
  else print(leaveText(last));
  return order === "begin" && last.state === "leaving" ? exitCodes.timedOut : exitCodes.ok;
}

/** Of what a control request says. */
export function orderIn({ order }: Arguments): LeaveOrder {
  if (order === "begin" || order === "cancel" || order === "status") return order;
  throw new HiveError("Invalid", "leave", String(order));
}

function orderOf(line: CommandLine): LeaveOrder {
  const [isStatus, isCancel] = [line.flag("status"), line.flag("cancel")];
  if (isStatus && isCancel) throw new HiveError("Usage", "leave", "--status or --cancel");
  if (isCancel) return "cancel";
  return isStatus ? "status" : "begin";
}

/** Until it is over, or that time has come; what was begun goes on in the daemon. */
async function waited(
  first: LeaveView, look: () => Promise<LeaveView>, endMs: number,
): Promise<LeaveView> {
  let view = first;
  let saidMs = -Infinity;
  while (view.state === "leaving" && systemClock.monotonicMs() < endMs) {
    if (systemClock.monotonicMs() - saidMs >= sayEveryMs) {
      for (const words of leaveText(view).split("\n")) say(words);
      saidMs = systemClock.monotonicMs();
    }
    // Another process makes the progress, and tells of it when it is asked.
    await systemClock.delay(askEveryMs);
    view = await look();
  }
  return view;
}

function leaveText(view: LeaveView): string {
  const { state, shards, bytes, before, secondsLeft, waiting } = view;
  const here = `${shards} shards, ${sizeText(bytes)}`;
  if (state === "staying") return `staying: it keeps ${here} for others`;
  if (state === "gone") {
    return "gone: nothing of others is here any more, and this node may be shut down";
  }
  const time = secondsLeft === null ? "" : `; about ${timeText(secondsLeft)} left`;
  const head = `leaving: ${here} still here of ${before?.shards ?? 0} shards${time}`;
  return [head, ...waiting.map((words) => `  ${words}`)].join("\n");
}
