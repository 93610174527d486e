"""What leaves the site: pictures, files of reports, share links."""
