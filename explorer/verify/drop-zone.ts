import { byId } from './dom.ts';

/** Files taken from one drop or choice. */
const FILES_MAX = 20;

/** A button that opens the file dialogue and takes dropped files. `take` gets at most `FILES_MAX`, and how many came. */
export function dropZone(name: 'genesis' | 'proof', take: (files: readonly File[], came: number) => void): void {
  const zone = byId(`${name}-zone`, HTMLButtonElement);
  const input = byId(`${name}-input`, HTMLInputElement);
  const give = (files: FileList | null | undefined): void => {
    const all = [...(files ?? [])];
    take(all.slice(0, FILES_MAX), all.length);
  };
  zone.addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    give(input.files);
    // The same file again is a change too.
    input.value = '';
  });
  // Entering a child comes before leaving its parent.
  let inside = 0;
  const mark = (): void => void zone.classList.toggle('over', inside > 0);
  zone.addEventListener('dragenter', () => {
    inside += 1;
    mark();
  });
  zone.addEventListener('dragleave', () => {
    inside -= 1;
    mark();
  });
  zone.addEventListener('drop', (event) => {
    inside = 0;
    mark();
    give(event.dataTransfer?.files);
  });
}

/** A file that misses the zones must neither replace this page nor be taken for what it may not be. */
export function refuseOtherDrops(): void {
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    const over = event.target instanceof Element && event.target.closest('.zone') !== null;
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = over ? 'copy' : 'none';
  });
  document.addEventListener('drop', (event) => event.preventDefault());
}
