import {enter} from '@/app/enter';

/** Says why nothing can be drawn, and what to do. */
export function Gate({why, isWrong = false}: {why: 'code' | 'closed' | 'cookies'; isWrong?: boolean}) {
  return (
    <section className="gate">
      {why === 'code' && (
        <form action={enter}>
          <h1>Come in</h1>
          <label htmlFor="code">Access code</label>
          <input id="code" name="code" type="password" autoComplete="current-password" required />
          {isWrong && <p className="problem" role="alert">That is not the code.</p>}
          <button className="primary" type="submit">Enter</button>
        </form>
      )}
      {why === 'closed' && (
        <>
          <h1>This app is closed</h1>
          <p>
            Each picture costs its owner money. Set <code>ACCESS_CODE</code> to a long text and give it to whom you trust, or put your own
            login into <code>lib/visitor.ts</code>. <code>OPEN_TO_ALL=1</code> lets everybody in.
          </p>
        </>
      )}
      {why === 'cookies' && (
        <>
          <h1>Cookies are off</h1>
          <p>A cookie tells your pictures from those of others. Allow it for this site, and load the page again.</p>
        </>
      )}
    </section>
  );
}
