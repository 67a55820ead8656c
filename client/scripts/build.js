// Builds dist/ from src/ by tsc alone, from nothing: a file that was renamed
// leaves nothing behind.

import {execFileSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
const compiler = findCompiler();
rmSync(folder + 'dist', {recursive: true, force: true});
execFileSync(process.execPath, [compiler, '-p', 'tsconfig.json'], {cwd: folder, stdio: 'inherit'});

// findCompiler returns where tsc is. npm builds a folder that somebody depends on,
// and installs nothing in it for that.
function findCompiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  } catch {
    console.error(`ai-worker-client cannot be built: TypeScript is not installed. Run npm ci in ${folder} first.`);
    process.exit(1);
  }
}
