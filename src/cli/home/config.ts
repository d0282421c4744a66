/** Settings and secrets of this machine, as the configs that the front door takes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../base/limits.ts";
import type { DriveConfig, NodeConfig, Secrets } from "../../hive.ts";
import { version } from "../version.ts";
import type { Home } from "./home.ts";
import { parseBrakeRule, parseKeepRule } from "./keep-rule.ts";
import { readNetworkKey } from "./network-key.ts";
import type { Settings } from "./settings.ts";
import { ordersOf } from "./traffic-orders.ts";

export function nodeConfigOf(home: Home, settings: Settings, secrets: Secrets): NodeConfig {
  return {
    directory: home.nodeDirectory,
    peerSeed: secrets.peerSeed,
    driveSeed: secrets.driveSeed,
    ...(secrets.device === undefined ? {} : { device: secrets.device }),
    deviceName: settings.deviceName,
    listen: settings.listen,
    bootstrap: settings.bootstrap,
    household: settings.household,
    country: settings.country,
    version: version(),
    mdns: settings.mdns,
    relay: settings.relay,
    upnp: settings.upnp,
    ...networkKeyOf(home),
    quotaBytes: settings.quotaBytes,
    strangerShare: settings.strangerPercent / 100,
    contributeRatio: settings.contributeRatio,
    deadAfterMs: settings.deadAfterSeconds * 1000,
    auditIntervalMs: settings.auditIntervalSeconds * 1000,
    guardLeaseMs: guardLeaseMs(settings),
    traffic: ordersOf(home, settings),
  };
}

/** Members must have the same: it is a minute for all but a swarm that lives at a quicker pace. */
function guardLeaseMs({ auditIntervalSeconds }: Settings): number {
  const { leaseMs, leaseMsMin } = limits.guard;
  return Math.min(leaseMs, Math.max(leaseMsMin, auditIntervalSeconds * 1000));
}

function networkKeyOf(home: Home) {
  const networkKey = readNetworkKey(home);
  return networkKey === undefined ? {} : { networkKey };
}

export function driveConfigOf(
  home: Home,
  settings: Settings,
  secrets: Secrets,
  mount: DriveConfig["mount"],
): DriveConfig {
  return {
    ...nodeConfigOf(home, settings, secrets),
    cacheDirectory: join(home.cacheDirectory),
    isNew: existsSync(home.newDriveFile),
    cacheLimitBytes: settings.cacheLimitBytes,
    keep: parseKeepRule(settings.keep),
    brake: parseBrakeRule(settings.brake),
    mount,
  };
}
