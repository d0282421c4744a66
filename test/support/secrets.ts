/** Looks for a drive's keys where they must not be, in every form that a slip could give them. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { asBuffer } from "../../src/base/bytes.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { openKeyFile } from "../../src/crypt/drive/keyfile.ts";
import type { Machine } from "./cli.ts";

/** The one file that holds the seeds: a search that does not find them there finds nothing. */
export function keyFileOf({ home }: Machine): string {
  return join(home, "config", "key");
}

/** The seeds of a machine without a passphrase, and all that is made of them: raw, hex, base64. */
export async function secretsOf(machine: Machine): Promise<readonly Buffer[]> {
  const file = readFileSync(keyFileOf(machine));
  const { driveSeed, peerSeed } = await openKeyFile(file, undefined);
  const keys = driveSeed === undefined ? {} : driveKeysOf(driveSeed);
  const secrets = [driveSeed, peerSeed, ...Object.values(keys)]
    .filter((value) => value instanceof Uint8Array).map(asBuffer);
  return secrets.flatMap((secret) => [
    secret,
    Buffer.from(secret.toString("hex")),
    Buffer.from(secret.toString("base64").replace(/=+$/, "")),
    Buffer.from(secret.toString("base64url")),
  ]);
}

/** The files, here and below, that hold one of them. */
export function filesWith(secrets: readonly Buffer[], paths: readonly string[]): string[] {
  return paths.flatMap(filesBelow).filter((path) => {
    const bytes = readFileSync(path);
    return secrets.some((secret) => bytes.includes(secret));
  });
}

function filesBelow(path: string): string[] {
  const status = statSync(path);
  if (status.isFile()) return [path];
  if (!status.isDirectory()) return [];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}
