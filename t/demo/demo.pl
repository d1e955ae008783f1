#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# make demo: two sites, each an httpd of its own on a free port of 127.0.0.1 with mod_mnet loaded, are
# joined as their administrators would join them, and call each other.  Everything is in a temporary
# folder and gone at the end; KEEP=1 keeps it, with the configurations to read.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/../lib";
use Mnet::Browser;
use Mnet::Harness;

$| = 1;
my %site;

# What each site has besides its name in the network.
my %config = (
    # Its users log in by httpd's own Basic; those may walk over.  Any AuthType would do.
    school => <<'CONF',
<Location "/auth/mnet/jump.php">
    AuthType Basic
    AuthName "The school"
    AuthBasicProvider file
    AuthUserFile conf/users
    Require valid-user
    MnetIdentityProvider On
    MnetAttribute firstname "Alice"
    MnetAttribute lastname  "Ångström"
    MnetAttribute email     "%{REMOTE_USER}@school.example"
</Location>
MnetPortfolioDir portfolio
CONF
    # A folder for whoever comes from a peer.
    library => <<'CONF',
<Location "/reading-room">
    AuthType Mnet
    Require valid-user
    Options +Includes
    AddOutputFilter INCLUDES .html
</Location>
# What users of peers send is kept here, a folder for each.
MnetPortfolioDir portfolio
CONF
);
my $PAGE = 'Welcome to the reading room, <!--#echo var="MNET_FIRSTNAME" --> <!--#echo var="MNET_LASTNAME" -->'
    . " (<!--#echo var=\"REMOTE_USER\" -->).\n";

sub say_step { print "\n== $_[0]\n"; return }

sub shown {
    my ($text) = @_;
    print map { "   $_\n" } split /\n/, $text;
    return;
}

sub write_file {
    my ($name, $text) = @_;
    open my $out, '>', $name or die "$name: $!";
    print $out $text;
    close $out or die "$name: $!";
    return;
}

# Runs mnetctl at a site as its administrator would type it.
sub mnetctl {
    my ($name, @args) = @_;
    my @words = map { /[^\w.:\/=@-]/ ? "'$_'" : $_ } @args;
    print "\n   $name\$ mnetctl @words\n";
    my $run = $site{$name}->mnetctl(@args);
    shown($run->{out} . $run->{err});
    die "demo: that failed\n" if $run->{exit};
    return $run->{out};
}

sub start {
    my ($name, $application) = @_;
    my $h = $site{$name} = Mnet::Harness->new(log_level => 'notice', sites => 1,
        modules => [qw(auth_basic authn_file authz_user include mime)],
        config => "TypesConfig /dev/null\nAddType text/html .html\nMnetSiteName \"The $name\"\nMnetApplication $application\n",
        site_config => $config{$name});
    write_file($h->root . '/conf/users', "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"); # secret
    mkdir $h->htdocs . '/reading-room';
    write_file($h->htdocs . '/reading-room/index.html', $PAGE);
    $h->start;
    print "   $name: ", $h->wwwroot(0), " (", $application, "), pid ", $h->pid, "\n";
    return;
}

say_step('two sites, each an httpd with mod_mnet');
start('school',  'moodle');
start('library', 'mahara');
my ($school, $library) = map { $site{$_}->wwwroot(0) } qw(school library);
print "\n   What the configuration of the school says of MNET:\n";
open my $conf, '<', $site{school}->conf_file or die $!;
shown(join '', grep { /Mnet|mnet_module/ } <$conf>);
close $conf;

say_step('they are joined: each fetches the certificate of the other, an administrator confirms it');
mnetctl('school', qw(peers add), $library, '--application', 'mahara', '--publish', 'sso_idp,pf', '--subscribe', 'sso_sp,pf');
mnetctl('school', qw(peers confirm), $library, '--yes');
mnetctl('library', qw(peers add), $school, '--application', 'moodle', '--publish', 'sso_sp,pf', '--subscribe', 'sso_idp,pf');
mnetctl('library', qw(peers confirm), $school, '--yes');

say_step('a call: signed, sealed, opened, verified, answered, and the same on the way back');
mnetctl('school', 'call', $library, 'system/listServices');
mnetctl('library', 'ping', $school);

say_step('the school replaces its key; the library follows at its next call');
mnetctl('school', qw(keys rotate));
mnetctl('library', 'call', $school, 'system/listMethods');
mnetctl('library', qw(peers show), $school);

say_step('a sign-on: alice, whom the school knows by her password, walks into the library');
my $browser = Mnet::Browser->new(user => 'alice:secret', realm => $school);
my $url = "$school/auth/mnet/jump.php?hostwwwroot=$library&wantsurl=/reading-room/index.html";
for (1 .. 5) {
    my $got = $browser->get($url);
    print "   GET ", $url =~ s/(token=.{6})\w+/$1.../r, "\n       $got->{status}";
    print $got->{location} ? " to " . $got->{location} =~ s/(token=.{6})\w+/$1.../r . "\n" : ": $got->{content}";
    $url = $got->{location} or last;
}
mnetctl('library', qw(sessions list));

say_step('a transfer: alice sends a film of hers to the library, and waits');
# So that there is something to see: as large as a short film, and as little compressible.
open my $random, '<:raw', '/dev/urandom' or die $!;
open my $film, '>:raw', $site{school}->root . '/my film.mp4' or die $!;
for (1 .. 400) {
    read $random, my $piece, 1 << 20 or die $!;
    print $film $piece;
}
close $film or die $!;
mnetctl('school', qw(portfolio send), $site{school}->root . '/my film.mp4', qw(--user alice --peer), $library, '--wait');
for my $found (glob $site{library}->root . '/portfolio/alice*/incoming/*/*') {
    printf "   at the library: %s (%d bytes)\n", $found =~ s{.*/portfolio/}{}r, -s $found;
}
mnetctl('school', qw(portfolio list));

say_step('done');
$_->stop for values %site;
print "   Both sites are stopped.  README.md says how to join a real Moodle or Mahara.\n";
