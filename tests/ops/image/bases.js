// Stand-ins for the base images, made of Debian's packages: what the real ones hold that our steps and our binary touch.
// They are made once and kept in tests/ops/.tools. That the real images are like them is not shown.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const KEPT = fileURLToPath(new URL('../.tools/bases/', import.meta.url));

/** What the rust image has beside a small Debian, and our steps call. */
const FOR_BUILDS = ['ca-certificates', 'findutils', 'gcc', 'libc6-dev', 'make', 'pkg-config'];
/** Of Debian in the image that the binary starts in. */
const FOR_RUNNING = ['ca-certificates', 'libc6', 'libgcc-s1', 'netbase', 'tzdata'];

/** Fills `root` with what stands for the image `base`; gives back `{ env, binds }` for its steps. */
export function fill(root, base) {
  if (/^rust:[\d.]+-bookworm$/.test(base)) return rust(root);
  if (base === 'gcr.io/distroless/cc-debian12:nonroot') return distroless(root);
  throw new Error(`there is no stand-in for the image ${base}`);
}

function rust(root) {
  const tar = path.join(KEPT, 'rust.tar');
  const unfinished = path.join(KEPT, 'unfinished.tar');   // It tells by the name what to write.
  if (!existsSync(tar)) {
    mkdirSync(KEPT, { recursive: true });
    run('mmdebstrap', '--quiet', '--variant=apt', `--include=${FOR_BUILDS}`, 'bookworm', unfinished);
    renameSync(unfinished, tar);
  }
  run('tar', '--extract', '--file', tar, '--directory', root);
  // The last: whom this machine trusts on its way out.
  for (const file of ['/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs/ca-certificates.crt']) copyFileSync(file, root + file);
  // The toolchain of this machine, and what Cargo has downloaded already: to fetch both again shows nothing.
  const sysroot = run('rustc', '--print', 'sysroot').trim();
  const registry = path.join(process.env.CARGO_HOME ?? path.join(homedir(), '.cargo'), 'registry');
  return {
    env: { PATH: '/usr/local/cargo/bin:/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin', CARGO_HOME: '/usr/local/cargo' },
    binds: { [sysroot]: '/usr/local/rust', ...(existsSync(registry) ? { [registry]: '/usr/local/cargo/registry' } : {}) },
  };
}

function distroless(root) {
  const packages = path.join(KEPT, 'distroless');
  if (!existsSync(packages)) {
    mkdirSync(KEPT, { recursive: true });
    const fresh = mkdtempSync(path.join(tmpdir(), 'shelfcast-debs-'));
    run('apt-get', '-qq', 'download', ...FOR_RUNNING, { cwd: fresh });
    run('cp', '-r', fresh, `${packages}.part`);
    rmSync(fresh, { recursive: true });
    renameSync(`${packages}.part`, packages);
  }
  for (const file of readdirSync(packages)) run('dpkg-deb', '--extract', path.join(packages, file), root);
  mkdirSync(path.join(root, 'etc/ssl/certs'), { recursive: true });
  copyFileSync('/etc/ssl/certs/ca-certificates.crt', path.join(root, 'etc/ssl/certs/ca-certificates.crt'));
  writeFileSync(path.join(root, 'etc/passwd'), 'root:x:0:0::/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n');
  for (const folder of ['proc', 'dev', 'tmp', 'home/nonroot']) mkdirSync(path.join(root, folder), { recursive: true });
  // These come along with Debian's packages and are not in the real image.
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib/tmpfiles.d', 'usr/lib/systemd']) rmSync(path.join(root, folder), { recursive: true, force: true });
  return { env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }, binds: {} };
}

function run(command, ...args) {
  const options = typeof args.at(-1) === 'object' ? args.pop() : {};
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });
}
