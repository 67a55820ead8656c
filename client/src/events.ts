// The wire format of server-sent events:
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

export interface ServerEvent {
  type: string;
  data: string;
}

/** Reads a stream of events, in pieces of any length. */
export class EventParser {
  /** The latest id, which a new connection sends as Last-Event-ID. */
  lastId?: string;
  /** Milliseconds after which to connect again, if the server said so. */
  retry?: number;
  #rest = '';
  #type = '';
  #data: string[] = [];

  /** Takes the next piece, and returns the events that are whole with it. */
  push(text: string): ServerEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/); // a CR at the end may be half of CR LF
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => (line === '' ? this.#take() : this.#read(line)));
  }

  #take(): ServerEvent[] {
    const events = this.#data.length > 0 ? [{type: this.#type || 'message', data: this.#data.join('\n')}] : [];
    this.#type = '';
    this.#data = [];
    return events;
  }

  #read(line: string): ServerEvent[] {
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'data') {
      this.#data.push(value);
    } else if (field === 'event') {
      this.#type = value;
    } else if (field === 'id' && !value.includes('\0')) {
      this.lastId = value;
    } else if (field === 'retry' && /^\d+$/.test(value)) {
      this.retry = Number(value);
    }
    return [];
  }
}
