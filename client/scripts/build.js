// Builds dist/ from src/ by tsc alone, from nothing: a file that was renamed
// leaves nothing behind.

import {execFileSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
rmSync(folder + 'dist', {recursive: true, force: true});
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {cwd: folder, stdio: 'inherit'});
