# token.pl FILE [PORT]: prints the access token of FILE, a new one where its life has ended; with PORT it logs
# in with it to the IMAP server there. SSL_CERT_FILE names the certificate authorities.
use strict;
use warnings;
use JSON::PP;

# What only a refresh or a login needs is loaded there: it takes longer than the rest.
my ($path, $port) = @ARGV;
open(my $file, '<', $path) or die "$path: $!";
my $tokens = decode_json(do { local $/; <$file> });
if ($tokens->{expires_at} <= time) {
    refresh($tokens);
    write_tokens($tokens);
}
print "$tokens->{access_token}\n";
log_in($tokens) if defined $port;

sub refresh {
    my ($tokens) = @_;
    require HTTP::Tiny;
    my %form = (grant_type => 'refresh_token');
    $form{$_} = $tokens->{$_} for qw(client_id client_secret refresh_token);
    my $trust = {SSL_ca_file => $ENV{SSL_CERT_FILE}};
    my $http = HTTP::Tiny->new(timeout => 60, verify_SSL => 1, SSL_options => $trust);
    my $answer = $http->post_form($tokens->{token_uri}, \%form);
    die "$answer->{status} $answer->{content}" unless $answer->{success};
    my $new = decode_json($answer->{content});
    %$tokens = (%$tokens, %$new, expires_at => time + $new->{expires_in});
}

sub write_tokens {
    my ($tokens) = @_;
    umask 0077;
    open(my $file, '>', "$path.new") or die "$path.new: $!";
    print $file encode_json($tokens);
    close($file) or die "$path.new: $!";
    rename("$path.new", $path) or die "$path: $!";
}

sub log_in {
    my ($tokens) = @_;
    require IO::Socket::SSL;
    require MIME::Base64;
    my $imap = IO::Socket::SSL->new(PeerHost => 'localhost', PeerPort => $port, Timeout => 60)
        or die IO::Socket::SSL::errstr();
    my $response = "user=$tokens->{user}\1auth=Bearer $tokens->{access_token}\1\1";
    scalar <$imap>;
    ask($imap, 'AUTHENTICATE XOAUTH2 ' . MIME::Base64::encode($response, ''));
    ask($imap, 'LOGOUT');
}

sub ask {
    my ($imap, $command) = @_;
    print $imap "a $command\r\n";
    while (my $line = <$imap>) {
        return if $line =~ /^a OK/;
        die $line if $line =~ /^(?:a|\+) /;
    }
    die 'the server hung up';
}
