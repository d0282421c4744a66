/** `hive doctor`: looks at this machine and says what is missing, and how to mend it. */
import { accessSync, constants, existsSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type HiveError, isFault } from "../../base/errors.ts";
import { bestDriver, hasDriver, openCoder, prepareMount } from "../../hive.ts";
import type { Home } from "../home/home.ts";

/** As far from here in a package's dist as in src. */
const buildScript = fileURLToPath(new URL("../../../native/build.mjs", import.meta.url));
const buildAddons =
  `install a C compiler (apt-get install gcc libc6-dev), then: node ${buildScript}`;

export interface Finding {
  readonly what: string;
  readonly fine: boolean;
  /** Nothing works without it. */
  readonly needed: boolean;
  readonly mend: string;
}

export async function examine(home: Home): Promise<readonly Finding[]> {
  return [
    nodeVersion(), fuseDevice(), fuseHelper(), mountDriver(), await trialMount(), erasureEngine(),
    keyFileMode(home),
  ];
}

function nodeVersion(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  return {
    what: `Node ${process.versions.node}`,
    fine: major >= 24,
    needed: true,
    mend: "Hive needs Node 24 or later: npm install brings it",
  };
}

function fuseDevice(): Finding {
  return {
    what: "/dev/fuse can be opened",
    fine: can("/dev/fuse", constants.R_OK | constants.W_OK),
    needed: true,
    mend: "load the kernel's fuse module (modprobe fuse), and give this user /dev/fuse",
  };
}

function fuseHelper(): Finding {
  const root = process.getuid?.() === 0;
  const found = ["fusermount3", "fusermount"].some(onPath);
  return {
    what: root ? "fusermount3 (not needed by root)" : "fusermount3, to mount without being root",
    fine: root || found,
    needed: true,
    mend: "install the package fuse3 (apt-get install fuse3)",
  };
}

function mountDriver(): Finding {
  const driver = bestDriver();
  return {
    what: `mounts by the ${driver} driver`,
    fine: hasDriver(driver),
    needed: true,
    mend: buildAddons,
  };
}

/** As in a container, where all may be there and mount(2) be forbidden. */
async function trialMount(): Promise<Finding> {
  const place = mkdtempSync(join(tmpdir(), "hive-"));
  const failure = await prepareMount({ directory: place }).then(() => undefined, faultOf);
  rmdirSync(place);
  return {
    what: failure === undefined ? "a folder can be mounted" : `to mount: ${failure.subject}`,
    fine: failure === undefined,
    needed: true,
    mend: "mend what is missing else; in a container, it needs: " +
      "docker run --device /dev/fuse --cap-add SYS_ADMIN --security-opt apparmor=unconfined",
  };
}

function faultOf(error: unknown): HiveError {
  if (isFault(error)) return error;
  throw error;
}

function erasureEngine(): Finding {
  const { engine } = openCoder();
  const native = engine !== "typescript" && !engine.startsWith("wasm");
  return {
    what: `erasure coding by ${engine}`,
    fine: native,
    needed: false,
    mend: `for full speed ${buildAddons}`,
  };
}

function keyFileMode(home: Home): Finding {
  const absent = !existsSync(home.keyFile);
  const mode = absent ? 0o600 : statSync(home.keyFile).mode & 0o777;
  return {
    what: absent ? "no drive here yet (hive init)" : `key file mode ${mode.toString(8)}`,
    fine: (mode & 0o077) === 0,
    needed: true,
    mend: `chmod 600 ${home.keyFile}`,
  };
}

function onPath(program: string): boolean {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return directories.some((directory) => can(join(directory, program), constants.X_OK));
}

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
