import Link from 'next/link';

export default function NotFound() {
  return (
    <section className="gate">
      <h1>Nothing is here</h1>
      <p>There is no such job of yours. It may have been removed. <Link href="/">Draw something</Link></p>
    </section>
  );
}
