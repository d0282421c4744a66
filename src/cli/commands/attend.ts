/**
 * The daemon of a mounted drive: what it answers over its socket, and how it comes to its end. The
 * command that mounts it is commands/mount.ts.
 */
import { systemClock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { lineLog, toStandardError } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import type { PolicyTexts } from "../../base/views/policies.ts";
import { type Dashboard, type Drive, serveDashboard } from "../../hive.ts";
import { type ControlHandler, type ControlHandlers, endingOp, serveControl, vouchIn }
  from "../daemon/control.ts";
import { namesOf } from "../daemon/inside-mount.ts";
import { WatchKeeper } from "../daemon/watch-keeper.ts";
import { type ExitCode, exitCodeBy } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { type PolicyFiles, type PolicyWatch, watchPolicies } from "../home/policy-watch.ts";
import { trafficReload } from "../home/traffic-orders.ts";
import { say } from "../output.ts";
import { orderIn } from "./leave.ts";
import { pinHandlersOf } from "./pin.ts";
import { sharingHandlersOf } from "./sharing.ts";
import { snapshotHandlersOf } from "./snapshot-handlers.ts";
import { watchHandlersOf } from "./watch.ts";

export const daemonLog = lineLog({ level: "info", write: toStandardError });

/** A drive without open files ends more quickly than this. */
const endingMsMax = 3000;

/** Answers until somebody ends the drive, or it ends by itself. */
export async function attend(
  home: Home, drive: Drive,
  { files, directory, asked, sayReady }: {
    readonly files: PolicyFiles; readonly directory: string;
    /** Whoever hears it may ask the daemon something at once. */
    readonly sayReady: () => void;
    /** Of signals. */
    readonly asked: Promise<NodeJS.Signals>;
  },
): Promise<ExitCode> {
  const dashboard = lazyDashboard(drive);
  const govern = (texts: PolicyTexts) => drive.govern(texts);
  const reloadTraffic = trafficReload(home, (orders) => drive.limit(orders));
  const needs = { log: daemonLog, govern, settingsChanged: reloadTraffic };
  const policies = watchPolicies(home, files, needs);
  const watches = new WatchKeeper(home.watchesFile, { mount: directory, log: daemonLog });
  const handlers = {
    ...handlersOf(drive, { dashboard, policies, watches }), ...policyHandlersOf(drive, policies),
    ...pinHandlersOf(drive), ...sharingHandlersOf(drive), ...watchHandlersOf(watches),
    ...snapshotHandlersOf(home, drive),
    reloadTraffic,
  };
  const server = await serveControl(home.socket, refusingWhen(drive.ended, handlers));
  watches.begin();
  sayReady();
  let signal: NodeJS.Signals | undefined;
  try {
    signal = await Promise.race([asked, drive.ended]) ?? undefined;
    await watches.close();
    if (signal !== undefined) await takeOff(drive);
    await drive.ended;
    // What waits for the answer to `unmount` gets it before the process ends.
    await dashboard.close();
    await policies.close();
    await drive[Symbol.asyncDispose]();
  } finally {
    // A store that could not keep everything ends in a fault, and the process ends all the same.
    server.close();
  }
  return exitCodeBy(signal);
}

/** By a signal: whatever has files open may go on with them, so that it may last. */
async function takeOff(drive: Drive): Promise<void> {
  await drive.unmount({ lazy: true });
  if (await endsSoon(drive.ended)) return;
  say(`${takenOffWords}, or at once by a second signal`);
}

async function endsSoon(ended: PromiseLike<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  using _timer = systemClock.after(endingMsMax, () => late.resolve(false));
  return await Promise.race([ended.then(() => true), late.promise]);
}

/** Of a drive that was taken off and is being closed, nobody is told that it is mounted. */
function refusingWhen(ended: Promise<unknown>, handlers: ControlHandlers): ControlHandlers {
  let isEnding = false;
  const end = (): void => void (isEnding = true);
  ended.then(end, end);
  const refusing = Object.entries(handlers).map(([command, handler]): [string, ControlHandler] => {
    return [command, (...asked) => {
      if (isEnding) throw new HiveError("Unavailable", endingOp, "the daemon is about to end");
      return handler(...asked);
    }];
  });
  return Object.fromEntries(refusing);
}

/** An indexer or a file manager that looks in for a moment is no reason to refuse. */
const busyPatienceMs = 2000;
const busyPauseMs = 100;

async function unmountPatiently(drive: Drive, how: { readonly lazy: boolean }): Promise<void> {
  const untilMs = systemClock.monotonicMs() + busyPatienceMs;
  for (;;) {
    try {
      return await drive.unmount(how);
    } catch (error) {
      if (!isFault(error, "Busy") || systemClock.monotonicMs() > untilMs) throw error;
      // Nothing tells when a mount is not busy any more.
      await systemClock.delay(busyPauseMs);
    }
  }
}

/** What copies into the drive must not keep it busy; a drive that stays goes on being copied to. */
async function unmountWithout(watches: WatchKeeper, unmount: () => Promise<void>): Promise<void> {
  await watches.close();
  try {
    await unmount();
  } catch (error) {
    watches.begin();
    throw error;
  }
}

const takenOffWords = "taken off; its daemon ends once no program has files open there";

interface LazyDashboard {
  url(): Promise<string>;
  close(): Promise<void>;
}

/** Nobody listens on a port before somebody asked for the page. */
function lazyDashboard(drive: Drive): LazyDashboard {
  let serving: Promise<Dashboard> | undefined;
  const needs = {
    status: () => drive.status(),
    peers: () => drive.node.peers(),
    random: systemRandom,
    log: daemonLog,
  };
  return {
    async url() {
      serving ??= serveDashboard(needs, { port: 0 });
      return (await serving).url;
    },
    close: async () => (await serving)?.close(),
  };
}

function handlersOf(drive: Drive, { dashboard, policies, watches }: {
  readonly dashboard: LazyDashboard; readonly policies: PolicyWatch; readonly watches: WatchKeeper;
}): ControlHandlers {
  return {
    status: () => drive.status(),
    flush: (values) => drive.flush(Number(values["timeoutMs"])),
    gc: (values) => drive.reclaim(Number(values["timeoutMs"])),
    cache: async (values) => {
      const limitBytes = values["limitBytes"];
      if (typeof limitBytes === "number") await drive.setCacheLimit(limitBytes);
      return drive.cache({ drop: values["drop"] === true });
    },
    verify: (values) => {
      const { path } = values;
      const how = { deep: values["deep"] === true };
      return typeof path === "string"
        ? drive.verifyPath(namesOf(path), how) : drive.node.verify(how);
    },
    peers: () => drive.node.peers(),
    ledger: () => drive.node.ledger(),
    policy: ({ text, peer }) => {
      const asked = { text: String(text), peer: typeof peer === "string" ? peer : null };
      return drive.node.explainPolicy(asked);
    },
    reloadPolicies: () => policies.reload(),
    vouch: (values) => drive.node.vouch(vouchIn(values)),
    web: () => dashboard.url(),
    invite: (values) => drive.node.invite({ networkKey: values["networkKey"] === true }),
    join: (values) => drive.node.join(String(values["invite"])),
    setQuota: ({ bytes }) => drive.setQuota(Number(bytes)),
    vault: async () => (await drive.node.status()).vault,
    devices: () => drive.node.devices(),
    forgetDevice: ({ peer }) => drive.node.forgetDevice(String(peer)),
    removeDevice: ({ device }) => drive.node.removeDevice(String(device)),
    confirmDevice: ({ code }) => drive.node.confirmDevice(String(code)),
    leave: (values) => drive.node.leave(orderIn(values)),
    unmount: async (values, progress) => {
      const wanted = values["directory"];
      const { mount, isMounted } = await drive.status();
      if (wanted !== undefined && wanted !== mount) {
        throw new HiveError("NotFound", "unmount", `${String(wanted)} (mounted: ${mount})`);
      }
      const lazy = values["lazy"] === true;
      if (!isMounted && !lazy) progress(takenOffWords);
      await unmountWithout(watches, () => unmountPatiently(drive, { lazy }));
      const ended = drive[Symbol.asyncDispose]();
      // Open files keep a drive alive that was taken off: nobody waits for them who did not ask to.
      if (!lazy) await ended;
      else if (!(await endsSoon(ended))) progress(takenOffWords);
    },
  };
}

function policyHandlersOf(drive: Drive, policies: PolicyWatch): ControlHandlers {
  return {
    policyAt: ({ path }) => drive.policyAt(namesOf(String(path))),
    // A file that was just written must be known under its name.
    setPolicy: async ({ path, name }) => {
      await policies.reload();
      await drive.setPolicy(namesOf(String(path)), typeof name === "string" ? name : null);
    },
  };
}
