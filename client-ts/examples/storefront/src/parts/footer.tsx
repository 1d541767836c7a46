import { Link } from '../router'

export function Footer() {
  return (
    <footer className="footer">
      <p>
        Free delivery from €120. Thirty days to change your mind, and somebody who answers when you write.
      </p>
      <p className="quiet">
        Vitrine is an example: nothing is sold here. <Link to="/admin">Behind the counter</Link>
      </p>
    </footer>
  )
}
