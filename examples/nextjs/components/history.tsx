'use client';

import {listJobs, type UserJob} from 'ai-worker-client/react';
import Image from 'next/image';
import Link from 'next/link';
import {useCallback, useEffect, useState} from 'react';

/** The visitor's jobs, the newest first; read anew when a job has ended. */
export function History({after}: {after: string | undefined}) {
  const [jobs, setJobs] = useState<UserJob[]>();
  const [cursor, setCursor] = useState<string | null>(null);
  const [problem, setProblem] = useState<string>();

  const read = useCallback(async (from?: string) => {
    try {
      const page = await listJobs({limit: 12, cursor: from});
      setProblem(undefined);
      setJobs((known) => from && known ? [...known, ...page.jobs] : page.jobs);
      setCursor(page.next_cursor);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }, []);
  useEffect(() => void read(), [read, after]);

  return (
    <section className="history" aria-label="History">
      <h2>Your pictures</h2>
      {problem && <p className="problem" role="alert">{problem}</p>}
      {jobs?.length === 0 && <p>What you have drawn is kept here.</p>}
      <ul>
        {jobs?.map((job) => <li key={job.id}><Card job={job} /></li>)}
      </ul>
      {cursor && <button type="button" onClick={() => void read(cursor)}>Show more</button>}
    </section>
  );
}

function Card({job}: {job: UserJob}) {
  const first = job.images.find((image) => image.url);
  return (
    <Link className="card" href={`/jobs/${job.id}`}>
      <span className="thumb">
        {first?.url && (
          <Image src={first.url} alt="" width={160} height={160} unoptimized={!process.env.NEXT_PUBLIC_PICTURES_OPTIMIZED} loading="lazy" />
        )}
      </span>
      <span className="words">
        <b>{job.input.prompt}</b>
        <small>{job.progress.succeeded} of {job.progress.total} · {job.status}</small>
      </span>
    </Link>
  );
}
